"""Carries out the calls of tasks that run in this process.

All actions of local runs share one event loop in a thread of its own; synchronous tasks have threads. So children of
one parent run at the same time, whether they are called with `asyncio.gather`, from threads or with `flyte.map`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from flyte.authoring.context import current, get_custom_context
from flyte.authoring.controller import TraceCall, TraceOutcome
from flyte.local.calls import KeyLocks, LocalCall, LocalRunSettings, carry_out
from flyte.local.failures import as_seen_by_parent
from flyte.local.traces import TraceMemory
from flyte.spec.child_names import derive_child_name
from flyte.spec.digests import interface_digest, task_identity
from flyte.syncify import BackgroundLoop
from flyte.types.interface import interface_codec

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate

T = TypeVar("T")

ROOT = "a0"
local_loop = BackgroundLoop(name="flyte-local")


class LocalController:
    """The controller of one local run."""

    def __init__(self, run: LocalRunSettings, *, background: BackgroundLoop = local_loop) -> None:
        self._run = run
        self._background = background
        self._locks = KeyLocks()
        self._traces = TraceMemory()
        self._calls: Counter[tuple[str, int, bytes, bytes, str]] = Counter()

    async def run_root(self, task: TaskTemplate[Any, Any, Any], inputs: bytes) -> bytes:
        """Carry out the root action and return its serialised outputs, or raise its error."""
        call = LocalCall(task=task, inputs=inputs, action=ROOT, custom_context=get_custom_context())
        return await self._background.await_from_anywhere(self._carry_out(call))

    async def submit(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a task as a child of the current action and return its outputs, or raise its error."""
        return await self._background.await_from_anywhere(self._child(task, args, kwargs))

    def submit_sync(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do the same, blocking the calling thread."""
        return self._background.run(self._child(task, args, kwargs), what=task.name)

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of local runs, blocking the calling thread."""
        return self._background.run(coroutine, what="flyte.map")

    async def recall_trace(self, call: TraceCall) -> TraceOutcome | None:
        """Return how this very call ended in an attempt before."""
        return self._traces.recall(call, of=current())

    async def record_trace(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Remember how a call ended, for the next attempt."""
        self._traces.record(call, outcome, of=current())

    def recall_trace_sync(self, call: TraceCall) -> TraceOutcome | None:
        """Do as `recall_trace`."""
        return self._traces.recall(call, of=current())

    def record_trace_sync(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Do as `record_trace`."""
        self._traces.record(call, outcome, of=current())

    async def _child(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        codec = interface_codec(task.interface)
        inputs = codec.encode_inputs(args, kwargs)
        call = LocalCall(
            task=task,
            inputs=inputs,
            action=self._name(task, codec.inputs_digest(inputs)),
            custom_context=get_custom_context(),
        )
        try:
            return codec.decode_outputs(await self._carry_out(call))
        except Exception as error:
            raise as_seen_by_parent(error) from None

    async def _carry_out(self, call: LocalCall) -> bytes:
        return await carry_out(call, run=self._run, controller=self, locks=self._locks)

    def _name(self, task: TaskTemplate[Any, Any, Any], inputs_digest: bytes) -> str:
        """Return the name of the next such child of the current action; a retried parent derives the same names."""
        caller = current()
        parent = caller.task_context.action.name if caller else ""
        attempt = caller.task_context.attempt_number if caller else 0
        group = (caller.group if caller else None) or ""
        identity = task_identity(task.name, interface_digest(interface_codec(task.interface).to_proto()), "")
        key = (parent, attempt, identity, inputs_digest, group)
        sequence = self._calls[key]
        self._calls[key] += 1
        return derive_child_name(
            parent=parent, task_identity=identity, inputs_digest=inputs_digest, sequence=sequence, group=group
        )
