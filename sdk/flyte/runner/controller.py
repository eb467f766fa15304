"""How a task that runs in a worker calls other tasks: the worker's implementation of `flyte.authoring.controller`.

A call is encoded once, named after what is called and with what, and sent with all other calls of the same turn of
the loop. The n-th identical call of an attempt has the same name in every attempt, so a parent that is tried again
gets the results that are there. Large inputs are in the object store before the call is spoken of.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from flyte.authoring.context import current
from flyte.authoring.task import TaskTemplate
from flyte.runner.calls import OutstandingCalls, Waiter
from flyte.runner.full_queues import is_queue_full, waits
from flyte.runner.main_thread import MainThread
from flyte.runner.payloads import (
    inline_payload,
    is_stored,
    read_payload,
    read_payload_async,
    store_payload,
    store_payload_async,
)
from flyte.runner.stream import WorkerStream
from flyte.spec.child_names import derive_child_name
from flyteapi.common.v1 import phase_pb2
from flyteapi.scheduler.v1.worker_service_pb2 import (
    ActionResult,
    CancelCall,
    SubmitAction,
    TraceRecord,
    WorkerReport,
)
from flyteapi.task.v1.value_pb2 import Payload

if TYPE_CHECKING:
    from flyte.authoring.condition import Question
    from flyte.authoring.controller import TraceCall, TraceOutcome
    from flyte.runner.child_tasks import ChildTask, ChildTasks
    from flyte.runner.traces import TraceJournal

T = TypeVar("T")

# Threads of user code that drive coroutines; a coroutine may go on with the next call, so the loop is kept.
_loops = threading.local()


class _Call:
    """A call that is encoded and named, and not yet sent."""

    __slots__ = ("child", "context", "digest", "group", "inputs", "name")

    def __init__(
        self, child: ChildTask, name: str, inputs: bytes, digest: bytes, group: str, context: Mapping[str, str]
    ) -> None:
        self.child = child
        self.name = name
        self.inputs = inputs
        self.digest = digest
        self.group = group
        self.context = context


class AttemptController:
    """Carries out the calls of one attempt.

    Args:
        lease: of the attempt.
        action: name of the attempt's action, the parent of its children.
        data_prefix: where the attempt keeps data; ends in "/".
        children: describes the tasks that are called.
        bundle_digest: code bundle of the attempt's task, in which its children are found too.
        custom_context: what children inherit anyway.
        known_traces: traced calls that attempts before have recorded.
    """

    knows_deployed_tasks = True
    """Whether it can carry out tasks that are known by their deployed version only."""

    def __init__(
        self,
        *,
        lease: int,
        action: str,
        data_prefix: str,
        bundle_digest: str,
        custom_context: Mapping[str, str],
        stream: WorkerStream,
        main_thread: MainThread,
        children: Callable[[], ChildTasks],
        known_traces: Sequence[TraceRecord] = (),
    ) -> None:
        self._lease = lease
        self._action = action
        self._data_prefix = data_prefix
        self._bundle_digest = bundle_digest
        self.custom_context = custom_context
        self._stream = stream
        self._main_thread = main_thread
        self._children = children
        self._known_traces = known_traces
        self.calls = OutstandingCalls(main_thread.loop)

    async def submit(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a task as a child; see `Controller.submit`."""
        call = self._prepare(task, args, kwargs)
        payload = inline_payload(call.inputs)
        if payload is None:
            payload = await store_payload_async(call.inputs, self._inputs_uri(call))
        result = await self._result(call, payload)
        if is_queue_full(result):
            for wait_s in waits(result):
                await asyncio.sleep(wait_s)
                if not is_queue_full(result := await self._result(call, payload)):
                    break
        if is_stored(result.outputs):
            return call.child.codec.decode_outputs(await read_payload_async(_succeeded(result)))
        return call.child.codec.decode_outputs(_succeeded(result).inline)

    def submit_sync(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Does the same for synchronous code, on the main thread or any other; see `Controller.submit_sync`."""
        call = self._prepare(task, args, kwargs)
        payload = inline_payload(call.inputs) or store_payload(call.inputs, self._inputs_uri(call))
        wait = self._wait_on_main if self._main_thread.is_current else self._wait
        result = wait(call, payload)
        if is_queue_full(result):
            for wait_s in waits(result):
                self._pause(wait_s)
                if not is_queue_full(result := wait(call, payload)):
                    break
        return call.child.codec.decode_outputs(read_payload(_succeeded(result)))

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine for synchronous code; see `DrivesCoroutines.drive`."""
        if self._main_thread.is_current:
            return self._main_thread.run_loop_until(coroutine)
        loop: asyncio.AbstractEventLoop | None = getattr(_loops, "of_thread", None)
        if loop is None:
            loop = _loops.of_thread = asyncio.new_event_loop()
        return loop.run_until_complete(coroutine)

    async def ask(self, question: Question) -> str:
        """See `AsksPeople.ask`."""
        from flyte.runner.questions import ask_people

        return await ask_people(self, question)

    async def recall_trace(self, call: TraceCall) -> TraceOutcome | None:
        """See `TraceRecorder.recall_trace`."""
        return self._journal.recall(call)

    async def record_trace(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """See `TraceRecorder.record_trace`."""
        self._journal.record(call, outcome)

    def recall_trace_sync(self, call: TraceCall) -> TraceOutcome | None:
        """See `TraceRecorder.recall_trace_sync`."""
        return self._journal.recall(call)

    def record_trace_sync(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """See `TraceRecorder.record_trace_sync`."""
        self._journal.record(call, outcome)

    @cached_property
    def _journal(self) -> TraceJournal:
        from flyte.runner.traces import TraceJournal

        return TraceJournal(self._stream, lease=self._lease, data_prefix=self._data_prefix, known=self._known_traces)

    def _prepare(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        data = current()
        group = (data.group if data is not None else None) or ""
        child = self._children().describe(task, bundle_digest=self._bundle_digest)
        inputs = child.codec.encode_inputs(args, kwargs)
        if len(inputs) > child.max_inline_io_bytes:
            from flyte.types.interface import check_inline_size

            check_inline_size(inputs, child.max_inline_io_bytes, "inputs")
        digest = child.codec.inputs_digest(inputs, ignored=child.ignored_inputs)
        name = derive_child_name(
            parent=self._action,
            task_identity=child.identity,
            inputs_digest=digest,
            sequence=self.calls.sequence(child.identity, digest, group),
            group=group,
        )
        return _Call(child, name, inputs, digest, group, self._own_context(data))

    def _own_context(self, data: Any) -> Mapping[str, str]:
        """The custom context of a call where it is not the one that is inherited anyway."""
        context: Mapping[str, str] = data.custom_context if data is not None else self.custom_context
        return {} if context is self.custom_context else context

    def _inputs_uri(self, call: _Call) -> str:
        return f"{self._data_prefix}inputs/{call.name}"

    def _send(self, call: _Call, payload: Payload, waiter: Waiter) -> int:
        number = self.calls.add(waiter)
        submit = SubmitAction(
            call=number,
            name=call.name,
            task_digest=call.child.digest,
            inputs=payload,
            inputs_digest=call.digest,
            group=call.group,
            custom_context=call.context,
        )
        self._stream.send(WorkerReport(lease=self._lease, submit=submit))
        return number

    def _nobody_waits(self, number: int) -> None:
        if self.calls.forget(number):
            self._stream.send(WorkerReport(lease=self._lease, cancel_call=CancelCall(call=number)))

    async def _result(self, call: _Call, payload: Payload) -> ActionResult:
        future: asyncio.Future[ActionResult] = asyncio.get_running_loop().create_future()
        number = self._send(call, payload, future)
        try:
            return await future
        except asyncio.CancelledError:
            self._nobody_waits(number)
            raise

    def _pause(self, seconds: float) -> None:
        if self._main_thread.is_current:
            self._main_thread.run_loop_until(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)

    def _wait_on_main(self, call: _Call, payload: Payload) -> ActionResult:
        future: asyncio.Future[ActionResult] = self._main_thread.loop.create_future()
        number = self._send(call, payload, future)
        try:
            return self._main_thread.run_loop_until(future)
        except BaseException:
            self._nobody_waits(number)
            raise

    def _wait(self, call: _Call, payload: Payload) -> ActionResult:
        future: concurrent.futures.Future[ActionResult] = concurrent.futures.Future()
        number = self._send(call, payload, future)
        try:
            return future.result()
        except BaseException:
            self._nobody_waits(number)
            raise


def _succeeded(result: ActionResult) -> Payload:
    if result.phase != phase_pb2.PHASE_SUCCEEDED:
        from flyte.wire.errors import error_for_parent, original_exception

        # Only here, inside of the run that made it: a pickle runs code, and clients open none.
        original = original_exception(result.error)
        raise error_for_parent(result.error, original) from original
    return result.outputs
