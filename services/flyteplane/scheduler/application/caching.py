"""What happens to an action between acceptance and admission: is its result there already?

Lookups of one turn go to the cache service as one batch. A cache that cannot be asked never fails a task: the action
goes on without it, and says so in its cache status. With `serialize` it waits for the cache, see `serialized`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, LookupRequest, PutRequest, PutResponse
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteplane.foundation.errors import PlatformError
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.cache_keys import (
    Place,
    digest_of,
    is_cached,
    is_serialized,
    key_of,
    max_age_of,
    place_at,
    place_of,
    source_of,
    takes,
)
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.reserving import Reserving
from flyteplane.scheduler.application.serialized import Serialized
from flyteplane.scheduler.domain.phases import ROOT, CacheStatus, Phase
from flyteplane.scheduler.domain.state import FoundInCache

if TYPE_CHECKING:
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import CacheClient, Records

#: Most keys in one lookup, and most results in one store.
BATCH: Final = 500
#: Most bytes of results in one store.
BATCH_BYTES: Final = 16 << 20
#: Results that wait to be stored, and their bytes: what comes while a slow cache has so many to store is not cached.
MOST_STORING: Final = 10_000
MOST_STORING_BYTES: Final = 64 << 20


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
        self._storing: deque[tuple[Action, PutRequest.Item]] = deque()
        self._storing_bytes = 0
        self._putting = False
        self._on_its_way: dict[Place, CacheEntry] = {}
        """What has ended and is not known to be stored: whoever was told of that end finds it in the cache."""
        self._reserving = Reserving(cache=cache, clock=engine.clock, background=background)
        self.serialized = Serialized(engine=engine, reserving=self._reserving, ready=ready)

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
        if is_serialized(action):
            self.serialized.step_back(action)
        self._compute(action)

    def finished(self, action: Action) -> None:
        """The action has ended: store its result, and let those that waited for it go on."""
        if not is_cached(action):
            return
        state = action.state
        stores = state.phase is Phase.SUCCEEDED and state.cache_status in (CacheStatus.MISS, CacheStatus.SKIPPED)
        token = self.serialized.finished(action) if is_serialized(action) else 0
        if stores:
            if token:
                self._reserving.forget(place_of(action), token)
            self._store(action, token)
        elif token:
            self._reserving.release(place_of(action), token)

    # --- recovered runs ---------------------------------------------------------------------------------------------

    async def _recover(self, action: Action) -> None:
        source = _run_key(action.run.settings.recover_from)
        run = await self._records.run(source)
        row = await self._records.action(run.id, action.name) if run is not None else None
        if row is None or row.phase != Phase.SUCCEEDED or row.task_digest != action.task.digest or row.name == ROOT:
            self._consider_cache(action)
            return
        found = FoundInCache(at=self._engine.clock.now(), outputs=row.outputs or b"", source=f"{source}/{row.name}")
        self._engine.apply(action, found)

    # --- lookup -----------------------------------------------------------------------------------------------------

    def _consider_cache(self, action: Action) -> None:
        if not is_cached(action):
            if action.task.spec.cache.enabled and action.run.settings.disable_cache:
                self._engine.mark_cache(action, CacheStatus.SKIPPED)
            self._ready(action)
            return
        digest_of(action)
        if action.run.settings.overwrite_cache:
            self._engine.mark_cache(action, CacheStatus.SKIPPED)
            self._compute(action)
            return
        self._asking.append(action)
        if not self._asked:
            self._asked = True
            self._background.start(self._ask(), name="cache lookup")

    async def _ask(self) -> None:
        try:
            while self._asking:
                batch = [self._asking.popleft() for _ in range(min(BATCH, len(self._asking)))]
                unknown = []
                for action in batch:
                    entry = self._on_its_way.get(place_of(action)) if self._on_its_way else None
                    if entry is None or not takes(action, entry, now=self._engine.clock.now()):
                        unknown.append(action)
                    elif not action.state.phase.terminal:
                        self._looked_up(action, entry)
                if unknown:
                    await self._look_up(unknown)
        finally:
            self._asked = False

    async def _look_up(self, batch: Sequence[Action]) -> None:
        queries = [LookupRequest.Query(key=key_of(action), max_age=max_age_of(action)) for action in batch]
        try:
            entries = await self._cache.lookup(queries)
            self._reserving.answered()
        except PlatformError:
            # Those that asked meanwhile would wait just as long for the same answer.
            self._go_without([*batch, *self._asking])
            self._asking.clear()
            return
        for action, entry in zip(batch, entries, strict=True):
            if not action.state.phase.terminal:
                self._looked_up(action, entry)

    def _go_without(self, batch: Sequence[Action]) -> None:
        waiting = []
        for action in batch:
            if action.state.phase.terminal:
                continue
            self._engine.mark_cache(action, CacheStatus.FAILED)
            if is_serialized(action):
                waiting.append(action)
            else:
                self._ready(action)
        if waiting:
            self._background.start(self._ask_again(waiting), name="wait for the cache")

    async def _ask_again(self, waiting: Sequence[Action]) -> None:
        await self._engine.clock.sleep(self._reserving.pause_s())
        for action in waiting:
            if not action.state.phase.terminal:
                self._consider_cache(action)

    def _looked_up(self, action: Action, entry: CacheEntry | None) -> None:
        if entry is None:
            self._engine.mark_cache(action, CacheStatus.MISS)
            self._compute(action)
            return
        found = FoundInCache(
            at=self._engine.clock.now(), outputs=entry.outputs.SerializeToString(), source=source_of(entry)
        )
        self._engine.apply(action, found)

    def _compute(self, action: Action) -> None:
        if is_serialized(action):
            self.serialized.compute(action)
        else:
            self._ready(action)

    # --- store ------------------------------------------------------------------------------------------------------

    def _store(self, action: Action, token: int) -> None:
        entry = CacheEntry(
            key=key_of(action),
            outputs=wire.payload(action.state.outputs),
            producer=ActionId(run=_run_id(action.run.key), name=action.name),
            task_name=action.task.spec.name,
            cache_version=action.task.spec.cache.version,
        )
        # Right for whoever takes it out of what is on its way; the cache has the last word.
        entry.created_at.FromMicroseconds(round(self._engine.clock.now() * 1e6))
        overwrite = action.run.settings.overwrite_cache
        item = PutRequest.Item(entry=entry, overwrite=overwrite, reservation=token, max_age=max_age_of(action))
        self._engine.mark_cache(action, CacheStatus.STORED)
        self._engine.turn.after_commit(lambda: self._queue(action, item))

    def _queue(self, action: Action, item: PutRequest.Item) -> None:
        size = item.ByteSize()
        if len(self._storing) >= MOST_STORING or self._storing_bytes + size > MOST_STORING_BYTES:
            self._not_stored(action, item)
            return
        self._storing.append((action, item))
        self._storing_bytes += size
        self._on_its_way[place_at(item.entry.key)] = item.entry
        if not self._putting:
            self._putting = True
            self._background.start(self._put(), name="cache store")

    async def _put(self) -> None:
        try:
            await asyncio.sleep(0)
            while self._storing:
                batch = self._next_batch()
                await self._put_batch(batch)
                for _, item in batch:
                    place = place_at(item.entry.key)
                    if self._on_its_way.get(place) is item.entry:
                        del self._on_its_way[place]
        finally:
            self._putting = False

    def _next_batch(self) -> list[tuple[Action, PutRequest.Item]]:
        batch: list[tuple[Action, PutRequest.Item]] = []
        size = 0
        while self._storing and len(batch) < BATCH and (not batch or size < BATCH_BYTES):
            batch.append(self._storing.popleft())
            size += batch[-1][1].ByteSize()
        self._storing_bytes -= size
        return batch

    async def _put_batch(self, batch: Sequence[tuple[Action, PutRequest.Item]]) -> None:
        outcomes: Sequence[PutResponse.Outcome.ValueType]
        try:
            outcomes = await self._cache.put([item for _, item in batch])
        except PlatformError:
            outcomes = [PutResponse.OUTCOME_UNSPECIFIED] * len(batch)
        for (action, item), outcome in zip(batch, outcomes, strict=True):
            if outcome in (PutResponse.OUTCOME_UNSPECIFIED, PutResponse.OUTCOME_FENCED):
                self._not_stored(action, item)

    def _not_stored(self, action: Action, item: PutRequest.Item) -> None:
        if item.reservation:
            self._reserving.release(place_at(item.entry.key), item.reservation)
        self._engine.mark_ended(action, CacheStatus.FAILED, outputs=item.entry.outputs.SerializeToString())


def _run_key(run: RunId) -> RunKey:
    return RunKey(run.project, run.domain, run.name)


def _run_id(key: RunKey) -> RunId:
    return RunId(project=key.project, domain=key.domain, name=key.name)
