"""What happens when a task is called: a child action inside of a task, a plain function call outside."""

from __future__ import annotations

import sys
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from flyte.authoring.context import TaskContextData, current

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate


def call(task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a task the way its function is called: async tasks give an awaitable, synchronous ones block."""
    context = current()
    if context is None or context.controller is None:
        return task.forward(*args, **kwargs)
    _refuse_inside_trace(task, context)
    if task.is_async:
        made = context.controller.submit(task, args, kwargs)
        if isinstance(made, CoroutineType):
            # What Python says of a call that was never awaited then names the task.
            made.__qualname__ = task.name
        return made
    refuse_blocking_on_a_loop(f"{task.name}(...)", instead=f"await {task.short_name}.aio(...)")
    return context.controller.submit_sync(task, args, kwargs)


async def call_async(task: TaskTemplate[Any, Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a task, synchronous or not, without blocking the event loop."""
    context = current()
    if context is not None and context.controller is not None:
        _refuse_inside_trace(task, context)
        return await context.controller.submit(task, args, kwargs)
    if task.is_async:
        return await task.forward(*args, **kwargs)
    import asyncio

    return await asyncio.to_thread(task.forward, *args, **kwargs)


def refuse_blocking_on_a_loop(what: str, *, instead: str) -> None:
    """Raise SyncTaskCallInAsyncContextError on a thread whose event loop runs: it could never serve the call."""
    # Without asyncio imported no loop can run, and importing it is what a synchronous program should not pay for.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return
    from flyte.errors import SyncTaskCallInAsyncContextError

    raise SyncTaskCallInAsyncContextError(
        f"{what} would block the event loop that has to carry it out. Write `{instead}` instead."
    )


def _refuse_inside_trace(task: TaskTemplate[Any, Any, Any], context: TaskContextData) -> None:
    if not context.in_trace:
        return
    from flyte.errors import TraceDoesNotAllowNestedTasksError

    raise TraceDoesNotAllowNestedTasksError(
        f"Task {task.name} was called inside of a function with @flyte.trace. Call it from the task itself."
    )
