"""Attempts under way in this worker: how they begin, are cancelled, and end."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn

from flyte.authoring.context import TaskContextData
from flyte.runner.attempt import Attempt, RunOfTask
from flyte.runner.controller import AttemptController
from flyte.runner.invocation import Invocation
from flyte.runner.known_secrets import KnownSecrets
from flyte.runner.main_thread import MainThread
from flyte.runner.outcomes import cancellation, describe_failure
from flyte.runner.output_capture import AttemptOutput, current_output
from flyte.runner.stream import WorkerStream
from flyte.runner.surroundings import Surroundings
from flyte.runner.tasks import DeclaredTasks, LoadedTask
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, Assign, AttemptEnded, DeclareRun

if TYPE_CHECKING:
    from flyte.runner.child_tasks import ChildTasks

EXIT_OF_DEFECT: Final = 70
"""`EX_SOFTWARE` of sysexits.h."""
_MOST_RUNS_OF_TASKS: Final = 1000
"""A replica serves runs without end; what is worked out for each of them is forgotten after so many."""

_current_attempt: ContextVar[Attempt | None] = ContextVar("flyte_attempt", default=None)


class Execution:
    """Runs attempts.

    Args:
        surroundings: of the attempts.
        at_rest: runs something on the main thread while no loop runs on it.
        over: called when an attempt that was revoked is over.
    """

    def __init__(
        self,
        *,
        surroundings: Surroundings,
        stream: WorkerStream,
        main_thread: MainThread,
        tasks: DeclaredTasks,
        at_rest: Callable[[Callable[[], None]], None],
        over: Callable[[], None],
    ) -> None:
        self._surroundings = surroundings
        self._stream = stream
        self._main_thread = main_thread
        self._tasks = tasks
        self._at_rest = at_rest
        self._over = over
        self._attempts: dict[int, Attempt] = {}
        self._under_way = 0
        """Those of them that are not over: they share the process."""
        self._common: dict[tuple[str, bytes], RunOfTask] = {}
        self._secrets = KnownSecrets()
        self._synchronous: Attempt | None = None
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._attempts)

    @property
    def synchronous_code_runs(self) -> bool:
        """Whether synchronous user code is on the stack of the main thread."""
        return self._synchronous is not None

    def only_output(self) -> AttemptOutput | None:
        """Where threads without a context write: to the only attempt, if there is one only."""
        if len(self._attempts) != 1:
            return None
        return next(iter(self._attempts.values())).output

    def lease_for(self, uri: str) -> int:
        """The attempt with whose rights an object of the platform is read or written; from any thread and any fork.

        It is the attempt of the calling context. A thread that was started without one works for the attempt whose
        own data it asks for, or for the only one under way. Raises PermissionError if neither tells.
        """
        if (attempt := _current_attempt.get()) is not None:
            return attempt.lease
        under_way = [attempt for attempt in list(self._attempts.values()) if not attempt.over]
        if len(under_way) > 1:
            under_way = [attempt for attempt in under_way if uri.startswith(attempt.common.prefix(attempt.assign))]
        if len(under_way) != 1:
            raise PermissionError(
                f"A thread asks for {uri}, and it is not known for which of this replica's tasks: start it with "
                "asyncio.to_thread, or run it in contextvars.copy_context(), and let it end before its task does."
            )
        return under_way[0].lease

    def hand_on_output(self) -> None:
        """Queues what attempts have written; from any thread."""
        for attempt in list(self._attempts.values()):
            attempt.output.hand_on()

    def begin(self, lease: int, assign: Assign, run: DeclareRun | None) -> bool:
        """Begins an attempt; False if its run or task is not known. An attempt that runs already goes on."""
        spec = self._tasks.spec(assign.task_digest)
        if run is None or spec is None:
            return False
        if lease in self._attempts:
            return True
        attempt = self._attempts[lease] = self._make(lease, assign, run)
        self._under_way += 1
        loaded = self._tasks.loaded(assign.task_digest)
        if loaded is not None and loaded.is_async:
            self._start_coroutine(attempt, loaded)
        elif spec.is_async and self.synchronous_code_runs:
            # The loop runs for a synchronous parent, which may wait for this very attempt.
            if (loaded := self._load(attempt)) is not None:
                self._start_coroutine(attempt, loaded)
        else:
            self._at_rest(lambda: self._run_at_rest(attempt))
        return True

    def settle(self, lease: int, result: ActionResult) -> None:
        """A child has ended; on the main thread."""
        if (attempt := self._attempts.get(lease)) is not None:
            attempt.controller.calls.settle(result)

    def settle_elsewhere(self, lease: int, result: ActionResult) -> None:
        """The same on the pulse thread, for callers that do not wait on the worker's loop."""
        attempt = self._attempts.get(lease)
        if attempt is not None and attempt.controller.calls.waits_elsewhere(result.call):
            attempt.controller.calls.settle(result)

    def cancel(self, lease: int, reason: str) -> None:
        """Raises CancelledError in the attempt's code; on the main thread."""
        attempt = self._attempts.get(lease)
        if attempt is None or attempt.over:
            return
        first = attempt.cancel_reason is None
        attempt.cancel_reason = reason or "cancelled"
        # One that has not begun looks at its cancel_reason before it does.
        if first and attempt is self._synchronous:
            self._main_thread.interrupt(lease, attempt.cancel_reason)
        elif first and attempt.task is not None:
            attempt.task.cancel(attempt.cancel_reason)

    def interrupt(self, lease: int, reason: str) -> None:
        """Cancels an attempt whose synchronous code has the main thread; on the pulse thread."""
        attempt = self._attempts.get(lease)
        if attempt is not None and attempt is self._synchronous and attempt.cancel_reason is None:
            attempt.cancel_reason = reason or "cancelled"
            self._main_thread.interrupt(lease, attempt.cancel_reason)

    def revoke(self, lease: int, reason: str) -> None:
        """The attempt is somebody else's now: stop it and say nothing more about it."""
        attempt = self._attempts.get(lease)
        if attempt is None:
            return
        attempt.revoked = True
        if attempt.over:
            self.forget(lease)
        else:
            self.cancel(lease, reason)

    def forget(self, lease: int) -> None:
        """The end of the attempt is durable, or nobody's business."""
        attempt = self._attempts.get(lease)
        if attempt is not None and attempt.over:
            del self._attempts[lease]
            self._over()

    @cached_property
    def _children(self) -> ChildTasks:
        # Many tasks call no other, and pods start sooner without it.
        from flyte.runner.child_tasks import ChildTasks

        return ChildTasks(self._stream)

    def _make(self, lease: int, assign: Assign, run: DeclareRun) -> Attempt:
        common = self._common_of(assign, run)
        controller = AttemptController(
            lease=lease,
            action=assign.action,
            data_prefix=common.prefix(assign),
            bundle_digest=common.bundle_digest,
            custom_context=common.custom_context_of(assign),
            stream=self._stream,
            main_thread=self._main_thread,
            children=lambda: self._children,
            known_traces=assign.traces,
        )
        mask = self._secrets.mask(assign)
        output = AttemptOutput(self._stream, lease=lease, mask=mask)
        context = contextvars.copy_context()
        attempt = Attempt(
            lease, assign=assign, common=common, output=output, mask=mask, controller=controller, context=context
        )
        context.run(current_output.set, output)
        context.run(_current_attempt.set, attempt)
        if (trace := common.trace_of(assign)) is not None:
            from flyte.runner.task_tracing import attach

            attach(context, trace)
        return attempt

    def _common_of(self, assign: Assign, run: DeclareRun) -> RunOfTask:
        key = (assign.run, assign.task_digest)
        common = self._common.get(key)
        if common is None:
            if len(self._common) >= _MOST_RUNS_OF_TASKS:
                self._common.clear()
            spec = self._tasks.spec(assign.task_digest)
            assert spec is not None
            common = self._common[key] = RunOfTask(run, spec, bundle_path=self._tasks.bundle_path(assign.task_digest))
        return common

    def _load(self, attempt: Attempt) -> LoadedTask | None:
        """Imports the task in the attempt's surroundings; ends the attempt if that fails."""
        try:
            self._surroundings.enter(attempt)
            digest = attempt.assign.task_digest
            if (loaded := self._tasks.loaded(digest)) is not None:
                return loaded
            with self._surroundings.importing():
                return attempt.context.run(self._tasks.load, digest)
        except BaseException as error:
            self._end(attempt, AttemptEnded(error=describe_failure(error, attempt)))
            return None

    def _run_at_rest(self, attempt: Attempt) -> None:
        """Imports the task and, if it is synchronous, runs it to its end; no loop runs meanwhile."""
        if attempt.cancel_reason is not None:
            self._end(attempt, AttemptEnded(error=cancellation(attempt.cancel_reason)))
            return
        self._synchronous = attempt
        outcome: AttemptEnded | None = None
        try:
            with self._main_thread.at_rest(attempt.lease):
                loaded = self._load(attempt)
            if loaded is not None and attempt.cancel_reason is not None:
                outcome = AttemptEnded(error=cancellation(attempt.cancel_reason))
            elif loaded is not None and not loaded.is_async:
                outcome = attempt.context.run(self._invocation(attempt, loaded).run_synchronously, self._main_thread)
        finally:
            self._synchronous = None
        if outcome is not None:
            self._end(attempt, outcome)
        elif loaded is not None:
            self._start_coroutine(attempt, loaded)

    def _start_coroutine(self, attempt: Attempt, loaded: LoadedTask) -> None:
        work = self._run_coroutine(attempt, loaded)
        attempt.task = self._main_thread.loop.create_task(work, context=attempt.context)
        attempt.task.add_done_callback(_crash_on_error)

    async def _run_coroutine(self, attempt: Attempt, loaded: LoadedTask) -> None:
        try:
            self._surroundings.enter(attempt)
            invocation = self._invocation(attempt, loaded)
        except (OSError, ValueError) as error:
            self._end(attempt, AttemptEnded(error=describe_failure(error, attempt)))
            return
        self._end(attempt, await invocation.run())

    def _invocation(self, attempt: Attempt, loaded: LoadedTask) -> Invocation:
        common, assign = attempt.common, attempt.assign
        report = None
        if common.spec.report:
            from flyte.runner.report import AttemptReport

            uri = f"{common.prefix(assign)}report.html"
            report = AttemptReport(self._stream, lease=attempt.lease, uri=uri, name=common.spec.name)
        context = common.task_context(assign, custom_context=attempt.controller.custom_context, report=report)
        data = TaskContextData(task_context=context, controller=attempt.controller)
        return Invocation(attempt, loaded, data, stream=self._stream)

    def _end(self, attempt: Attempt, outcome: AttemptEnded) -> None:
        if os.getpid() != self._process:
            # User code has forked, and let the child come back from the task as well.
            os._exit(0)
        attempt.over = True
        self._under_way -= 1
        attempt.controller.calls.cancel_all()
        self._surroundings.leave(attempt, last=self._under_way == 0)
        attempt.output.close()
        if attempt.revoked:
            self.forget(attempt.lease)
        else:
            self._stream.end(attempt.lease, outcome)


def _crash_on_error(task: asyncio.Task[None]) -> None:
    """Whatever user code does has become an outcome; an error that arrives here is ours, and nobody would ever see
    it.
    """
    if not task.cancelled() and (error := task.exception()) is not None:
        crash(error)


def crash(error: BaseException) -> NoReturn:
    """Ends the worker because of a defect of its own: whoever placed it sees the exit, and tries the attempt again."""
    sys.__excepthook__(type(error), error, error.__traceback__)
    os._exit(EXIT_OF_DEFECT)


def remember_tasks_of_attempts(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """A task factory: an attempt on a replica takes the asyncio tasks that it has left behind with it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    attempt = _current_attempt.get()
    if attempt is not None:
        attempt.tasks.add(task)
        task.add_done_callback(attempt.tasks.discard)
    return task
