"""What happens to an action between acceptance and admission: is its result there already?

Lookups of one turn go to the cache service as one batch. A cache that cannot be asked never fails a task: the action
goes on without it, and says so in its cache status. With `serialize`, actions of one key queue side by side, and the
one that is placed first computes for all of them, unless it waits for them. Nobody waits for one that only queues: it
could wait for what that one holds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from flyte.spec.digests import cache_key
from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, CacheKey
from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
from flyteplane.foundation.errors import PlatformError
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.domain.phases import CacheStatus, Phase
from flyteplane.scheduler.domain.state import FoundInCache

if TYPE_CHECKING:
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import CacheClient, Records

#: Most keys in one lookup.
BATCH = 500

_Place: TypeAlias = tuple[str, str, bytes]


class Caching:
    """Decides, before admission, whether an action has to run."""

    def __init__(
        self,
        *,
        engine: Engine,
        cache: CacheClient,
        records: Records,
        background: BackgroundTasks,
        ready: Callable[[Action], None],
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._records = records
        self._background = background
        self._ready = ready
        self._asking: deque[Action] = deque()
        self._asked = False
        self._storing: list[tuple[Action, CacheEntry, bool]] = []
        self._on_its_way: dict[_Place, CacheEntry] = {}
        """What has ended and is not known to be stored: whoever was told of that end finds it in the cache."""
        self._leaders: dict[bytes, Action] = {}
        self._followers: dict[bytes, dict[Action, None]] = {}
        """What is under way under a key besides its leader: queued, or waiting for the leader's result."""

    def consider(self, action: Action) -> None:
        """Sends the action on its way: to its result, or to admission."""
        settings = action.run.settings
        if settings.HasField("recover_from") and action.name not in settings.force_actions:
            self._background.start(self._recover(action), name="recover action")
            return
        self._consider_cache(action)

    def resume(self, action: Action) -> None:
        """The action may go on after an attempt or a wait that failed. One whose key this leader has not made yet was
        looked up before a restart, and is looked up again; one that waits for another's computation goes on waiting."""
        if not action.cache_key:
            self._consider_cache(action)
            return
        if self._leaders.get(action.cache_key) is action:
            self._step_back(action)
        self._compute(action)

    def may_begin(self, action: Action) -> bool:
        """Whether the action computes, now that there is a slot for it. False: another does so already, for it too."""
        key = action.cache_key
        if not key or not action.task.spec.cache.serialize:
            return True
        leader = self._leaders.get(key)
        if leader is None:
            self._leaders[key] = action
        elif leader is not action and not self._waits_for(leader, action):
            return False
        self._leave(action)
        return True

    def finished(self, action: Action) -> None:
        """The action has ended: store its result, and let those that waited for it go on."""
        key = action.cache_key
        if not key:
            return
        self._leave(action)
        if self._leaders.get(key) is action:
            self._pass_on(key, action)
        if action.state.phase is Phase.SUCCEEDED and action.state.cache_status in (
            CacheStatus.MISS,
            CacheStatus.SKIPPED,
        ):
            self._store(action)

    # --- recovered runs ---------------------------------------------------------------------------------------------

    async def _recover(self, action: Action) -> None:
        source = _run_key(action.run.settings.recover_from)
        run = await self._records.run(source)
        row = await self._records.action(run.id, action.name) if run is not None else None
        if row is None or row.phase != Phase.SUCCEEDED or row.task_digest != action.task.digest or row.name == "a0":
            self._consider_cache(action)
            return
        found = FoundInCache(at=self._engine.clock.now(), outputs=row.outputs or b"", source=f"{source}/{row.name}")
        self._engine.apply(action, found)

    # --- lookup -----------------------------------------------------------------------------------------------------

    def _consider_cache(self, action: Action) -> None:
        policy, settings = action.task.spec.cache, action.run.settings
        if not policy.enabled or settings.disable_cache or not action.inputs_digest:
            self._ready(action)
            return
        if not action.cache_key:
            action.cache_key = cache_key(
                task_name=action.task.spec.name,
                interface_digest=action.task.interface_digest,
                cache_version=policy.version,
                inputs_digest=action.inputs_digest,
            )
        if settings.overwrite_cache:
            self._engine.mark_cache(action, CacheStatus.SKIPPED)
            self._compute(action)
            return
        self._asking.append(action)
        if not self._asked:
            self._asked = True
            self._background.start(self._ask(), name="cache lookup")

    async def _ask(self) -> None:
        while self._asking:
            batch = [self._asking.popleft() for _ in range(min(BATCH, len(self._asking)))]
            unknown = []
            for action in batch:
                entry = self._on_its_way.get(_place(_key(action))) if self._on_its_way else None
                if entry is None:
                    unknown.append(action)
                elif not action.state.phase.terminal:
                    self._looked_up(action, entry)
            if unknown:
                await self._look_up(unknown)
        self._asked = False

    async def _look_up(self, batch: Sequence[Action]) -> None:
        queries = [(_key(action), _max_age_s(action)) for action in batch]
        try:
            entries = list(await self._cache.lookup(queries))
        except PlatformError:
            entries = []
        for position, action in enumerate(batch):
            if action.state.phase.terminal:
                continue
            if entries:
                self._looked_up(action, entries[position])
            else:
                self._engine.mark_cache(action, CacheStatus.FAILED)
                self._ready(action)

    def _looked_up(self, action: Action, entry: CacheEntry | None) -> None:
        if entry is None:
            self._engine.mark_cache(action, CacheStatus.MISS)
            self._compute(action)
            return
        producer = entry.producer
        found = FoundInCache(
            at=self._engine.clock.now(),
            outputs=entry.outputs.SerializeToString(),
            source=f"{_run_key(producer.run)}/{producer.name}",
        )
        self._engine.apply(action, found)

    # --- one computation at a time ----------------------------------------------------------------------------------

    def _compute(self, action: Action) -> None:
        if not action.task.spec.cache.serialize:
            self._ready(action)
            return
        self._followers.setdefault(action.cache_key, {})[action] = None
        leader = self._leaders.get(action.cache_key)
        if leader is None or self._waits_for(leader, action):
            self._ready(action)

    def _leave(self, action: Action) -> None:
        others = self._followers.get(action.cache_key)
        if others is not None:
            others.pop(action, None)
            if not others:
                del self._followers[action.cache_key]

    def _step_back(self, leader: Action) -> None:
        """The leader queues again: whoever is placed first computes."""
        del self._leaders[leader.cache_key]
        for action in tuple(self._followers.get(leader.cache_key, ())):
            if action not in self._engine.admission and not action.state.not_before:
                self._ready(action)

    def _waits_for(self, leader: Action, action: Action) -> bool:
        """True if the leader cannot end before the action does: they would wait for each other for ever.

        Parents wait for their children, and the followers of a leader for it.
        """
        seen: set[Action] = set()
        unvisited = [action]
        while unvisited:
            ancestor = unvisited.pop().parent
            while ancestor is not None and ancestor not in seen:
                if ancestor is leader:
                    return True
                seen.add(ancestor)
                if self._leaders.get(ancestor.cache_key) is ancestor:
                    others = self._followers.get(ancestor.cache_key, ())
                    unvisited.extend(other for other in others if other not in self._engine.admission)
                ancestor = ancestor.parent
        return False

    def _pass_on(self, key: bytes, leader: Action) -> None:
        if leader.state.outputs is None:
            self._step_back(leader)
            return
        del self._leaders[key]
        source = f"{leader.run.key}/{leader.name}"
        found = FoundInCache(at=self._engine.clock.now(), outputs=leader.state.outputs, source=source)
        for action in self._followers.pop(key, ()):
            self._engine.apply(action, found)

    # --- store ------------------------------------------------------------------------------------------------------

    def _store(self, action: Action) -> None:
        entry = CacheEntry(
            key=_key(action),
            outputs=wire.payload(action.state.outputs),
            producer=ActionId(run=_run_id(action.run.key), name=action.name),
            task_name=action.task.spec.name,
            cache_version=action.task.spec.cache.version,
        )
        self._engine.mark_cache(action, CacheStatus.STORED)
        self._engine.turn.after_commit(lambda: self._queue(action, entry))

    def _queue(self, action: Action, entry: CacheEntry) -> None:
        self._storing.append((action, entry, action.run.settings.overwrite_cache))
        self._on_its_way[_place(entry.key)] = entry
        if len(self._storing) == 1:
            self._background.start(self._put(), name="cache store")

    async def _put(self) -> None:
        await asyncio.sleep(0)
        while self._storing:
            batch = self._storing[:BATCH]
            try:
                await self._cache.put([(entry, overwrite) for _, entry, overwrite in batch])
            except PlatformError:
                for action, entry, _ in batch:
                    self._engine.mark_ended(action, CacheStatus.FAILED, outputs=entry.outputs.SerializeToString())
            del self._storing[: len(batch)]
            for _, entry, _ in batch:
                if self._on_its_way.get(_place(entry.key)) is entry:
                    del self._on_its_way[_place(entry.key)]


def _key(action: Action) -> CacheKey:
    key = action.run.key
    scope = (
        Scope() if action.run.settings.cache_lookup_scope == "global" else Scope(project=key.project, domain=key.domain)
    )
    return CacheKey(scope=scope, digest=action.cache_key)


def _place(key: CacheKey) -> _Place:
    """A key in a form that can be looked up."""
    return key.scope.project, key.scope.domain, key.digest


def _max_age_s(action: Action) -> float | None:
    policy = action.task.spec.cache
    return wire.seconds(policy.max_age) if policy.HasField("max_age") else None


def _run_key(run: RunId) -> RunKey:
    return RunKey(run.project, run.domain, run.name)


def _run_id(key: RunKey) -> RunId:
    return RunId(project=key.project, domain=key.domain, name=key.name)
