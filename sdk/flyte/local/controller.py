"""Carries out the calls of tasks that run in this process.

All actions of local runs share one event loop in a thread of its own; synchronous tasks have threads. So children of
one parent run at the same time, whether they are called with `asyncio.gather`, from threads or with `flyte.map`.

A `LocalRunning` is one run; each attempt in it has an `AttemptController`, which counts its calls and so derives the
names of its children.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyte.authoring.bundles import CheckpointPaths, RawDataPath
from flyte.authoring.checkpoint import Checkpoint
from flyte.authoring.context import TaskContextData, activate, current, get_custom_context
from flyte.authoring.controller import TraceCall, TraceOutcome
from flyte.authoring.identity import ActionID, GroupData
from flyte.authoring.task_context import TaskContext
from flyte.local.attempts import run_async, run_in_thread
from flyte.local.calls import LocalCall, carry_out
from flyte.local.described import DescribedTask, Task, describe
from flyte.local.failures import as_seen_by_parent
from flyte.local.leftovers import end_leftovers, remember_tasks, tasks_of_attempt
from flyte.local.memory import ActionMemory
from flyte.local.reservations import Reservations
from flyte.local.settings import LocalRunSettings
from flyte.local.surroundings import surroundings
from flyte.report.document import Report
from flyte.spec.child_names import ROOT_ACTION, derive_child_name
from flyte.syncify import BackgroundLoop
from flyte.types.interface import check_inline_size

if TYPE_CHECKING:
    from flyte.authoring.condition import Question

T = TypeVar("T")

ROOT: Final = ROOT_ACTION
MOST_THREADS: Final = 128
"""Synchronous children of one attempt that run at once, each on a thread. Below them others may run: a bound over all
of a run would let parents keep their own children waiting for ever.
"""


class Lane:
    """A loop that carries out runs, and the reservations of all of them."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.background = BackgroundLoop(name="flyte-local", task_factory=remember_tasks)
        self.reservations = Reservations()


_lanes: Final = [Lane(0)]


def lane_for_caller() -> Lane:
    """Return the lane for a new run. A run that a task starts may block the lane of that task, so it has another."""
    caller = current()
    outer = caller.controller if caller is not None else None
    depth = outer.depth + 1 if isinstance(outer, AttemptController) else 0
    while len(_lanes) <= depth:
        _lanes.append(Lane(len(_lanes)))
    return _lanes[depth]


class LocalRunning:
    """One local run while it is carried out."""

    def __init__(self, run: LocalRunSettings) -> None:
        self.run = run
        self.lane = lane_for_caller()
        self.background = self.lane.background

    async def run_root(self, task: Task, inputs: bytes) -> bytes:
        """Carry out the root action and return its serialised outputs, or raise its error.

        When it is cancelled everything below it has ended, or was given some seconds to, before this returns.
        """
        return await self.background.await_from_anywhere(self._root(task, inputs))

    async def carry_out(self, call: LocalCall) -> bytes:
        """Return the serialised outputs of an action, or raise its error."""
        return await carry_out(call, run=self.run, attempts=self, reservations=self.lane.reservations)

    async def attempt(
        self, call: LocalCall, number: int, *, limit_s: float | None, memory: ActionMemory | None
    ) -> bytes:
        """Make one attempt, see `Attempts`."""
        task = call.task
        controller = AttemptController(self, call.action, memory=memory)
        context = _context(call, number, run=self.run)
        tasks: set[asyncio.Task[Any]] = set()
        token = tasks_of_attempt.set(tasks)
        try:
            with (
                activate(TaskContextData(task_context=context, controller=controller)),
                surroundings(task, number, run=self.run),
            ):
                result = await _execute(task, task.codec.decode_inputs(call.inputs), limit_s)
                if context.report is not None:
                    context.report.flush()
                # Frames and pickles are written while they are encoded, and belong below this action.
                outputs = task.codec.encode_outputs(result)
        finally:
            tasks_of_attempt.reset(token)
            controller.is_over = True
            if tasks:
                await end_leftovers(tasks)
        if len(outputs) > task.max_inline_io_bytes:
            check_inline_size(outputs, task.max_inline_io_bytes, "outputs")
        return outputs

    async def _root(self, task: Task, inputs: bytes) -> bytes:
        described = describe(task)
        digest = described.codec.inputs_digest(inputs, ignored=described.ignored_inputs)
        identity = {"FLYTE_PROJECT": self.run.project, "FLYTE_DOMAIN": self.run.domain, "FLYTE_RUN_NAME": self.run.name}
        with self.run.variables.applied(identity):
            return await self.carry_out(
                LocalCall(
                    task=described, inputs=inputs, digest=digest, action=ROOT, custom_context=get_custom_context()
                )
            )


class AttemptController:
    """The controller of one attempt; its methods are those of the protocols in `flyte.authoring.controller`."""

    def __init__(self, running: LocalRunning, action: str, *, memory: ActionMemory | None) -> None:
        self._running = running
        self._background = running.background
        self._action = action
        self.depth = running.lane.depth
        self._memory = memory
        self._journal = None if memory is None else memory.journal()
        self._made: dict[tuple[bytes, bytes, str], int] = {}
        self._threads = asyncio.Semaphore(MOST_THREADS)
        self.is_over = False

    async def submit(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a task as a child of the action and return its outputs, or raise its error."""
        return await self._background.await_from_anywhere(self._child(task, args, kwargs))

    def submit_sync(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do the same, blocking the calling thread."""
        return self._background.run(self._child(task, args, kwargs), what=task.name)

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of local runs, blocking the calling thread."""
        return self._background.run(coroutine, what="flyte.map")

    async def recall_trace(self, call: TraceCall) -> TraceOutcome | None:
        """Return how this very call ended in an attempt before."""
        return self.recall_trace_sync(call)

    async def record_trace(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Remember how a call ended, for the next attempt."""
        self.record_trace_sync(call, outcome)

    def recall_trace_sync(self, call: TraceCall) -> TraceOutcome | None:
        """Do as `recall_trace`."""
        return None if self._journal is None else self._journal.recall(call)

    def record_trace_sync(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Do as `record_trace`."""
        if self._journal is not None:
            self._journal.record(call, outcome)

    async def ask(self, question: Question) -> str:
        """Ask the person in front of the run, see `AsksPeople`."""
        from flyte.local.console import ask_on_console

        return await self._background.await_from_anywhere(ask_on_console(question))

    async def _child(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        described = describe(task)
        codec = described.codec
        call = self._call(described, codec.encode_inputs(args, kwargs))
        try:
            if self._memory is None:
                outputs = await self._carry_out(call)
            else:
                outputs = await self._memory.child(
                    call.action, lambda: self._carry_out(call), is_over=lambda: self.is_over
                )
        except Exception as error:
            raise as_seen_by_parent(error) from error
        return codec.decode_outputs(outputs)

    async def _carry_out(self, call: LocalCall) -> bytes:
        if call.task.is_async:
            return await self._running.carry_out(call)
        async with self._threads:
            return await self._running.carry_out(call)

    def _call(self, task: DescribedTask, inputs: bytes) -> LocalCall:
        caller = current()
        group = caller.group if caller is not None else None
        digest = task.codec.inputs_digest(inputs, ignored=task.ignored_inputs)
        key = (task.identity, digest, group or "")
        sequence = self._made.get(key, 0)
        self._made[key] = sequence + 1
        name = derive_child_name(
            parent=self._action, task_identity=key[0], inputs_digest=digest, sequence=sequence, group=key[2]
        )
        context = caller.custom_context if caller is not None else {}
        return LocalCall(task=task, inputs=inputs, digest=digest, action=name, custom_context=context, group=group)


async def _execute(task: DescribedTask, inputs: dict[str, Any], limit_s: float | None) -> Any:
    if task.is_async:
        return await run_async(lambda: task.execute(**inputs), limit_s=limit_s)
    if task.is_plain_function:
        return await run_in_thread(lambda: task.execute(**inputs), limit_s=limit_s)
    return await run_in_thread(lambda: run_to_end(task.execute(**inputs)), limit_s=limit_s)


def run_to_end(coroutine: Any) -> Any:
    """Run a coroutine that awaits nothing, such as `execute` of a synchronous task, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a synchronous task awaited something before or after its function")


def _context(call: LocalCall, attempt: int, *, run: LocalRunSettings) -> TaskContext:
    folder = f"{run.folder}/{call.action}"
    action = ActionID(name=call.action, run_name=run.name, project=run.project, domain=run.domain)
    attempts = [f"{folder}/{number}/checkpoint" for number in range(attempt, -1, -1)]
    return TaskContext(
        action=action,
        task_action=action,
        version=call.task.cache_version,
        raw_data_path=RawDataPath(path=run.raw_data_path or f"{folder}/data"),
        output_path=folder,
        run_base_dir=run.folder,
        report=Report(call.task.name, path=f"{folder}/report.html") if call.task.report else None,
        group_data=None if call.group is None else GroupData(call.group),
        checkpoint_paths=CheckpointPaths(attempts[1] if attempt else None, attempts[0]),
        checkpoint=Checkpoint(attempts[0], sources=attempts[1:]),
        mode="local",
        custom_context=call.custom_context,
        run_start_time=run.start_time,
        attempt_number=attempt,
    )
