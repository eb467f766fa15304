"""Administration of triggers: each change is one conditional write, so that two people, or a person and the firing,
never undo each other's work."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from flyteapi.admin.v1.trigger_service_pb2 import Trigger
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.admin.application.admission import Admission, TaskVersionName, unknown_task
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.input_rules import check_inputs
from flyteplane.admin.application.pages import page_of
from flyteplane.admin.application.ports import StoredRun, TaskStore, TriggerStore
from flyteplane.admin.application.setting_rules import check_place
from flyteplane.admin.application.trigger_rules import (
    asked_run,
    check_time_input,
    check_trigger,
    inputs_at,
    key_of,
    schedule_of,
)
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.admin.domain.trigger import StoredTrigger, TriggerKey, TriggerState
from flyteplane.foundation.absent import absent_trigger
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Aborted, NotFound
from flyteplane.foundation.ids import IdSource
from flyteplane.foundation.repetition import RequestMark, check_request_id, mark_of
from flyteplane.rpc.list_pages import ListPage, whole_list_size

_TRIES: Final = 10


class Triggers:
    """The use cases. One instance serves all calls.

    Args:
        changed: called when a trigger may have something to do at another time than before.
    """

    def __init__(
        self,
        *,
        store: TriggerStore,
        tasks: TaskStore,
        admission: Admission,
        create: CreateRun,
        clock: Clock,
        ids: IdSource,
        tokens: PageTokens,
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._admission = admission
        self._create = create
        self._clock = clock
        self._ids = ids
        self._tokens = tokens
        self._changed = changed

    async def put(self, trigger: Trigger, *, by: str = "", request_id: str = "") -> StoredTrigger:
        """Store a trigger, in place of one of the same name. The same again changes nothing, not even its next time.

        Raises InvalidArgument, NotFound for its task, project or domain, AlreadyExists for a request id of another.
        """
        key = key_of(trigger)
        check_place(key.project, domain=key.domain, field="id")
        check_trigger(trigger)
        self._admission.check_settings(trigger.settings)
        await self._check_task(trigger)
        content = _content(trigger)
        request = mark_of("PutTrigger", request_id, by=by, content=content)
        return await self._change(
            key, lambda known: self._replaced(known, trigger, content), content=content, request=request
        )

    async def get(self, key: TriggerKey) -> StoredTrigger:
        """A trigger. Raises NotFound."""
        found = await self._store.get(key)
        if found is None:
            raise _unknown(key)
        return found

    async def list(
        self, *, project: str, domain: str, task_name: str, size: int, token: str
    ) -> ListPage[StoredTrigger]:
        """A page of triggers, by task and name. Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN)."""

        async def read(after: str, limit: int) -> Sequence[StoredTrigger]:
            task, _, name = after.partition("/")
            return await self._store.list(
                project=project, domain=domain, task_name=task_name, after=(task, name), limit=limit
            )

        return await page_of(
            read,
            seen=lambda _: True,
            position=lambda trigger: str(trigger.key),
            size=whole_list_size(size),
            token=token,
            tokens=self._tokens,
            query=repr(("triggers", project, domain, task_name)),
        )

    async def set_active(self, key: TriggerKey, active: bool, *, by: str = "", request_id: str = "") -> StoredTrigger:
        """Switch a trigger on or off. One that is switched on begins anew: nothing is caught up.

        Raises NotFound, AlreadyExists for a request id of another request.
        """

        def switched(known: StoredTrigger | None) -> TriggerState | None:
            if known is None:
                raise _unknown(key)
            if known.state.active is active:
                return None
            return self._fresh(Trigger.FromString(known.content), active=active, before=known.state)

        request = mark_of("SetTriggerActive", request_id, by=by, content=(key, active))
        return await self._change(key, switched, content=None, request=request)

    async def delete(self, key: TriggerKey, *, by: str = "", request_id: str = "") -> None:
        """Remove a trigger. Raises NotFound, AlreadyExists for a request id of another request."""
        request = mark_of("DeleteTrigger", request_id, by=by, content=key)
        if not await self._store.delete(key, request=request, now_us=self._now_us()):
            raise _unknown(key)

    async def fire(self, key: TriggerKey, *, request_id: str) -> StoredRun:
        """Start the trigger's run now. Raises NotFound and what `CreateRun` raises."""
        check_request_id(request_id)
        trigger = Trigger.FromString((await self.get(key)).content)
        now_us = self._now_us()
        asked = asked_run(trigger, time_us=now_us, request_id=request_id or self._ids.run_name())
        return await self._create(await self._admission.draft(asked))

    async def _check_task(self, trigger: Trigger) -> None:
        named = trigger.id
        wanted = TaskVersionName(
            project=named.project, domain=named.domain, name=named.task_name, version=trigger.task_version
        )
        found = await self._tasks.get(
            project=wanted.project, domain=wanted.domain, name=wanted.name, version=wanted.version
        )
        if found is None:
            raise unknown_task(wanted)
        spec = TaskSpec.FromString(found.spec)
        check_time_input(trigger, spec)
        check_inputs(inputs_at(trigger, self._now_us()), spec=spec, digest=b"")

    def _replaced(self, known: StoredTrigger | None, trigger: Trigger, content: bytes) -> TriggerState | None:
        if known is not None and known.content == content:
            return None
        if known is None:
            return self._fresh(trigger, active=trigger.active, before=None)
        before = Trigger.FromString(known.content)
        if _same_schedule(before, trigger) and known.state.active == trigger.active:
            return replace(known.state, last_error="")
        return self._fresh(trigger, active=trigger.active, before=known.state)

    def _fresh(self, trigger: Trigger, *, active: bool, before: TriggerState | None) -> TriggerState:
        now_us = self._now_us()
        schedule = schedule_of(trigger, anchor_us=now_us) if active else None
        return TriggerState(
            active=active,
            anchor_us=now_us,
            fired_until_us=now_us,
            wake_at_us=schedule.after(now_us) if schedule is not None else None,
            last_fired_us=before.last_fired_us if before is not None else None,
        )

    async def _change(
        self,
        key: TriggerKey,
        decide: Callable[[StoredTrigger | None], TriggerState | None],
        *,
        content: bytes | None,
        request: RequestMark | None,
    ) -> StoredTrigger:
        """Write what `decide` makes of the stored trigger; None changes nothing. Without `content` it stays.

        For a request that was answered before, find the trigger as it is now. Raises NotFound if it is gone since.
        """
        for _ in range(_TRIES):
            known = await self._store.get(key)
            # Asked after the trigger was read: an answer that was given between the two is found here.
            if request is not None and await self._store.is_repeated(request):
                return await self.get(key)
            state = decide(known)
            if state is None and known is not None:
                if request is None:
                    return known
                # Nothing is changed but that the request was answered, which is to hold for what others change later.
                state = known.state
            if state is not None:
                wanted = content if content is not None else known.content if known is not None else b""
                stored = await self._store.put(
                    key, content=wanted, state=state, known=known, request=request, now_us=self._now_us()
                )
                if stored is not None:
                    self._changed()
                    return stored
        raise Aborted(f"trigger {key} is changed by others all the time", reason="TRIGGER_CONTENDED")

    def _now_us(self) -> int:
        return int(self._clock.now() * 1e6)


def _content(trigger: Trigger) -> bytes:
    kept = Trigger()
    kept.CopyFrom(trigger)
    for name in ("next_fire_at", "last_fired_at", "last_error"):
        kept.ClearField(name)
    return kept.SerializeToString(deterministic=True)


def _same_schedule(one: Trigger, other: Trigger) -> bool:
    return one.WhichOneof("schedule") == other.WhichOneof("schedule") and (
        one.cron == other.cron and one.fixed_rate == other.fixed_rate
    )


def _unknown(key: TriggerKey) -> NotFound:
    return absent_trigger(key.name, task=key.task_name)
