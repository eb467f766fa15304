"""How runs and actions come in: accepted in one transaction, idempotent by name, refused before anything is stored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakValueDictionary

from flyte.spec.digests import task_digest
from flyte.spec.names import DEFAULT_QUEUE
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.foundation.errors import AlreadyExists, InvalidArgument
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.living import Action, Run, TaskRecord
from flyteplane.scheduler.application.ports import RunRow
from flyteplane.scheduler.domain.failures import Failure, FailureKind
from flyteplane.scheduler.domain.phases import ROOT, Phase
from flyteplane.scheduler.domain.state import ActionState

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import SubmitAction, WorkerReport
    from flyteplane.foundation.errors import PlatformError
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Attempt
    from flyteplane.scheduler.application.ports import Records, RunKey
    from flyteplane.scheduler.application.tasks import Tasks

#: Most actions of one run; beyond it a submit is refused.
MOST_ACTIONS: Final = 1_000_000
#: Names of actions become parts of paths and of worker names.
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Refusal(Protocol):
    """Why an action of a task is not accepted in a queue now; None if it is. `parent` calls a child."""

    def __call__(self, task: TaskRecord, queue: str, *, parent: Attempt | None = None) -> PlatformError | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to accept."""

    key: RunKey
    digest: bytes
    task: TaskSpec
    inputs: bytes
    inputs_digest: bytes
    settings: RunSettings


class Intake:
    """Accepts runs from admin and children from workers."""

    def __init__(
        self,
        *,
        engine: Engine,
        records: Records,
        tasks: Tasks,
        background: BackgroundTasks,
        consider: Callable[[Action], None],
        refusal: Refusal,
    ) -> None:
        self._engine = engine
        self._records = records
        self._tasks = tasks
        self._background = background
        self._consider = consider
        self._placing_refusal = refusal
        self._accepting: WeakValueDictionary[RunKey, asyncio.Lock] = WeakValueDictionary()
        """Held while a run is looked up and made; gone with the last call that uses it."""
        self._next_run_id = 1
        self._first_state: ActionState | None = None
        """Of all actions that this turn has accepted so far: they are equal, and a run may have 100,000 of them."""
        engine.turn.before_flush(self._end_turn)

    def start(self, *, highest_run_id: int) -> None:
        """Gives out run ids above the highest one that is stored."""
        self._next_run_id = highest_run_id + 1

    # --- runs -------------------------------------------------------------------------------------------------------

    async def accept_run(self, new: NewRun) -> bool:
        """Accepts a run; returns once it is durable. False: it was there already.

        Raises:
            AlreadyExists: the name belongs to a run of other content, which is untouched.
            InvalidArgument: the task breaks a rule, or nothing can carry it out.
        """
        lock = self._accepting.setdefault(new.key, asyncio.Lock())
        async with lock:
            return await self._accept_run(new)

    async def _accept_run(self, new: NewRun) -> bool:
        living = self._engine.runs.get(new.key)
        stored = living.row if living is not None else await self._records.run(new.key)
        if stored is not None:
            if stored.digest != new.digest:
                raise AlreadyExists(
                    f"run {new.key.name} exists already with other content",
                    field="run.name",
                    mend="Choose another name, or leave it out to have one made.",
                )
            if living is not None:
                # The call that brought it in may have been given up before the run was durable.
                await self._engine.turn.durable()
            return False
        task = self._tasks.declare(task_digest(new.task), new.task)
        if task.refusal is not None:
            raise InvalidArgument(task.refusal.message, field="task", reason=task.refusal.code)
        refused = self._placing_refusal(task, queue_of(task, new.settings))
        if refused is not None:
            raise refused
        self._create(new, task)
        await self._engine.turn.durable()
        return True

    def _create(self, new: NewRun, task: TaskRecord) -> None:
        now = self._engine.clock.now()
        row = RunRow(
            key=new.key,
            id=self._next_run_id,
            digest=new.digest,
            settings=new.settings.SerializeToString(),
            phase=Phase.QUEUED.value,
            created_at=now,
        )
        self._next_run_id += 1
        run = Run(row=row, settings=new.settings)
        self._engine.runs[new.key] = run
        self._engine.turn.insert_run(row)
        root = self._add(
            run,
            name=ROOT,
            parent=None,
            task=task,
            inputs=new.inputs,
            inputs_digest=new.inputs_digest,
            group="",
            custom_context=b"",
        )
        self._consider(root)

    def _add(
        self,
        run: Run,
        *,
        name: str,
        parent: Action | None,
        task: TaskRecord,
        inputs: bytes,
        inputs_digest: bytes,
        group: str,
        custom_context: bytes,
    ) -> Action:
        if self._first_state is None:
            now = self._engine.clock.now()
            self._first_state = ActionState(created_at=now, queued_at=now)
        action = Action(
            run=run,
            name=name,
            parent=parent,
            task=task,
            ordinal=run.next_ordinal,
            inputs=inputs,
            inputs_digest=inputs_digest,
            group=group,
            queue=queue_of(task, run.settings),
            custom_context=custom_context,
            state=self._first_state,
        )
        run.next_ordinal += 1
        run.actions[name] = action
        if parent is not None:
            parent.add_child(action)
        self._engine.turn.use_task(task)
        self._engine.accepted(action)
        return action

    def _end_turn(self) -> None:
        self._first_state = None

    # --- children ---------------------------------------------------------------------------------------------------

    def submitted(self, attempt: Attempt, report: WorkerReport) -> None:
        """A parent calls a child: a new one, one that runs, or one that has ended already. A call that is said again
        while its answer is still to come is answered once."""
        submit = report.submit
        if submit.call in attempt.calls:
            return
        child = attempt.action.run.actions.get(submit.name)
        if child is None:
            task = self._tasks.get(submit.task_digest)
            if task is None:
                self._background.start(self._submit_forgotten(attempt, report), name="task from store")
            else:
                self._submit_new(attempt, submit, task)
        elif child.parent is not attempt.action:
            self._refuse(attempt, submit, _refused("NAME_TAKEN", f"{submit.name} is no child of this action."))
        else:
            self._join(attempt, submit, child)

    def _join(self, attempt: Attempt, submit: SubmitAction, child: Action) -> None:
        self._engine.expect(attempt, submit.call, child)
        if not child.state.phase.terminal:
            child.waiters += ((attempt, submit.call),)
        elif child.state.phase is Phase.SUCCEEDED and child.state.outputs is None:
            self._background.start(self._answer_from_store(attempt, submit.call, child), name="result from store")
        else:
            self._engine.give_result(attempt, submit.call, child)

    def _refuse(self, attempt: Attempt, submit: SubmitAction, refusal: Failure, *, retry_after_s: float = 0.0) -> None:
        self._engine.expect(attempt, submit.call, None)
        result = ActionResult(call=submit.call, error=wire.failure_to(refusal))
        if retry_after_s:
            result.retry_after.FromMilliseconds(round(retry_after_s * 1000))
        self._engine.answer_call(attempt, result)

    async def _submit_forgotten(self, attempt: Attempt, report: WorkerReport) -> None:
        """A worker calls a task that it declared long ago: it is in the store, unless it never was declared."""
        submit = report.submit
        with suppress(KeyError):
            await self._tasks.load(submit.task_digest)
        if attempt.action.attempt is not attempt:
            return
        if self._tasks.get(submit.task_digest) is not None:
            self.submitted(attempt, report)
        elif submit.call not in attempt.calls:
            self._refuse(attempt, submit, _UNDECLARED)

    def _submit_new(self, attempt: Attempt, submit: SubmitAction, task: TaskRecord) -> None:
        parent = attempt.action
        refusal = _refusal(parent.run, submit, task)
        if refusal is not None:
            self._refuse(attempt, submit, refusal)
            return
        refused = self._placing_refusal(task, queue_of(task, parent.run.settings), parent=attempt)
        if refused is not None:
            failure = _refused(refused.reason, refused.public_text)
            self._refuse(attempt, submit, failure, retry_after_s=refused.retry_after_s or 0.0)
            return
        context = b""
        if submit.custom_context:
            context = RunSettings(custom_context=submit.custom_context).SerializeToString()
        child = self._add(
            parent.run,
            name=submit.name,
            parent=parent,
            task=task,
            inputs=submit.inputs.SerializeToString(),
            inputs_digest=submit.inputs_digest,
            group=submit.group,
            custom_context=context or parent.custom_context,
        )
        call = submit.call
        child.waiters += ((attempt, call),)
        self._engine.expect(attempt, call, child)
        self._consider(child)

    async def _answer_from_store(self, attempt: Attempt, call: int, child: Action) -> None:
        row = await self._records.action(child.run.row.id, child.name)
        result = ActionResult(call=call, phase=wire.phase_of(child.state.phase))
        if row is None or row.outputs is None:
            result.phase = wire.phase_of(Phase.FAILED)
            lost = Failure(kind=FailureKind.SYSTEM, code="DATA_LOSS", message=f"The outputs of {child.name} are gone.")
            result.error.CopyFrom(wire.failure_to(lost))
        else:
            result.outputs.ParseFromString(row.outputs)
        self._engine.answer_call(attempt, result)


def _refusal(run: Run, submit: SubmitAction, task: TaskRecord) -> Failure | None:
    if task.refusal is not None:
        return task.refusal
    if _NAME.fullmatch(submit.name) is None:
        words = "1 to 63 lower-case letters, digits and '-'"
        return _refused("BAD_NAME", f"{submit.name[:80]!r} is no name of an action: use {words}.")
    if len(run.actions) >= MOST_ACTIONS:
        return _refused("TOO_MANY_ACTIONS", f"A run has at most {MOST_ACTIONS:,} actions. Split it into several runs.")
    return None


def queue_of(task: TaskRecord, settings: RunSettings) -> str:
    """The queue of an action: that of its task, which override and decorator have settled, else the run's."""
    return task.spec.queue or settings.queue or DEFAULT_QUEUE


def _refused(code: str, message: str) -> Failure:
    return Failure(kind=FailureKind.REFUSED, code=code, message=message, recoverable=False)


_UNDECLARED: Final = _refused(
    "UNDECLARED_TASK", "The task of this call was not declared on the stream before it was used."
)
