"""Calling a task with the inputs of an attempt, and making its end of what the task returns or raises."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from flyte.authoring.context import TaskContextData, activate, ctx
from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.runner.attempt import Attempt
from flyte.runner.main_thread import MainThread
from flyte.runner.outcomes import describe_failure
from flyte.runner.payloads import (
    inline_payload,
    is_stored,
    read_payload,
    read_payload_async,
    store_payload,
    store_payload_async,
)
from flyte.runner.stream import WorkerStream
from flyte.runner.tasks import LoadedTask
from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded
from flyteapi.task.v1.value_pb2 import Payload


class Invocation:
    """One call of a task's code. Neither way of running it ever raises."""

    def __init__(self, attempt: Attempt, loaded: LoadedTask, data: TaskContextData, *, stream: WorkerStream) -> None:
        self._attempt = attempt
        self._loaded = loaded
        self._data = data
        self._stream = stream

    async def run(self) -> AttemptEnded:
        """Runs a task as a coroutine."""
        loaded, payload = self._loaded, self._attempt.assign.inputs
        try:
            with activate(self._data):
                content = await read_payload_async(payload) if is_stored(payload) else payload.inline
                inputs = loaded.decode_inputs(content)
                self._say_started()
                result = await (loaded.function(**inputs) if loaded.function else loaded.task.execute(**inputs))
                self._flush_report()
                # Frames are written while they are encoded, and belong below this attempt's prefix.
                encoded = self._encode(result)
            outputs = inline_payload(encoded)
            return AttemptEnded(outputs=outputs or await store_payload_async(encoded, self._outputs_uri()))
        except BaseException as error:
            return AttemptEnded(error=describe_failure(error, self._attempt))

    def run_synchronously(self, main_thread: MainThread) -> AttemptEnded:
        """Runs a synchronous task; the main thread is the task's until it ends."""
        loaded = self._loaded
        try:
            with activate(self._data), main_thread.at_rest(self._attempt.lease):
                inputs = loaded.decode_inputs(read_payload(self._attempt.assign.inputs))
                self._say_started()
                if loaded.function is not None:
                    result = loaded.function(**inputs)
                else:
                    result = _execute(loaded, inputs, main_thread)
                self._flush_report()
                encoded = self._encode(result)
                return AttemptEnded(outputs=self._place(encoded))
        except BaseException as error:
            return AttemptEnded(error=describe_failure(error, self._attempt))

    def _say_started(self) -> None:
        self._stream.begin(self._attempt.lease, time_ns=time.time_ns())

    def _encode(self, result: Any) -> bytes:
        encoded = self._loaded.codec.encode_outputs(result)
        if len(encoded) > self._loaded.max_inline_io_bytes:
            from flyte.types.interface import check_inline_size

            check_inline_size(encoded, self._loaded.max_inline_io_bytes, "outputs")
        return encoded

    def _place(self, encoded: bytes) -> Payload:
        return inline_payload(encoded) or store_payload(encoded, self._outputs_uri())

    def _outputs_uri(self) -> str:
        return f"{self._attempt.common.prefix(self._attempt.assign)}outputs"

    def _flush_report(self) -> None:
        if (report := self._data.task_context.report) is not None:
            report.flush()


def _execute(loaded: LoadedTask, inputs: dict[str, Any], main_thread: MainThread) -> Any:
    """Executes a synchronous task of a plugin: what it prepares and finishes is asynchronous, its function is not."""
    task = loaded.task
    if type(task).execute is not AsyncFunctionTaskTemplate.execute:
        return main_thread.run_loop_until(task.execute(**inputs))
    prepared = main_thread.run_loop_until(task.pre(**inputs))
    if prepared:
        ctx().data.update(prepared)
    function = cast(Callable[..., Any], cast(Any, task).func)
    finish: Awaitable[Any] = task.post(function(**inputs))
    return main_thread.run_loop_until(finish)
