"""Controllers in memory: they run children in this process and remember every call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flyte.authoring.context import TaskContextData, activate, current
from flyte.authoring.controller import TraceCall, TraceOutcome
from flyte.authoring.identity import ActionID
from flyte.authoring.task import TaskTemplate
from flyte.authoring.task_context import TaskContext


@dataclass
class Call:
    """One call that reached the controller."""

    task: str
    inputs: dict[str, Any]
    group: str | None
    custom_context: dict[str, str]


@dataclass
class RecordingController:
    """Runs async children on the caller's loop."""

    calls: list[Call] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0

    async def submit(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inputs = self._record(task, args, kwargs)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            result = task.forward(**inputs)
            return await result if task.is_async else result
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    def submit_sync(self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return task.forward(**self._record(task, args, kwargs))

    def _record(
        self, task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        context = current()
        assert context is not None
        inputs = task.interface.bind(args, kwargs)
        self.calls.append(Call(task.name, inputs, context.group, dict(context.custom_context)))
        return inputs


@dataclass
class DrivingController(RecordingController):
    """Has a loop of its own that is at rest while synchronous code runs."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)


@dataclass
class TracingController(RecordingController):
    """Remembers what traced functions gave; a copy of `outcomes` is what a later attempt knows."""

    outcomes: dict[str, list[TraceOutcome]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    def recall_trace_sync(self, call: TraceCall) -> TraceOutcome | None:
        key = repr(call)
        count = self.seen.get(key, 0)
        self.seen[key] = count + 1
        known = self.outcomes.get(key, [])
        return known[count] if count < len(known) else None

    def record_trace_sync(self, call: TraceCall, outcome: TraceOutcome) -> None:
        self.outcomes.setdefault(repr(call), []).append(outcome)

    async def recall_trace(self, call: TraceCall) -> TraceOutcome | None:
        return self.recall_trace_sync(call)

    async def record_trace(self, call: TraceCall, outcome: TraceOutcome) -> None:
        self.record_trace_sync(call, outcome)


@contextmanager
def inside_a_task(controller: Any = None, **context: Any) -> Iterator[TaskContextData]:
    """Run the block as if a task did."""
    task_context = TaskContext(action=ActionID(name="a0", run_name="r"), **context)
    with activate(TaskContextData(task_context=task_context, controller=controller)) as data:
        assert data is not None
        yield data
