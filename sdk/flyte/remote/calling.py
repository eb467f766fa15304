"""Calls of deployed tasks from inside of a task: who carries them out."""

from __future__ import annotations

import asyncio
from typing import Any

from flyte.authoring.context import current
from flyte.authoring.controller import Controller
from flyte.errors import RemoteTaskUsageError, TraceDoesNotAllowNestedTasksError


def refuse_outside_of_platform(name: str) -> Controller:
    """Return who carries out the calls of the running task.

    Raises RemoteTaskUsageError where nobody could carry out a task that is known by name only.
    """
    context = current()
    controller: Any = context.controller if context is not None else None
    if context is None or not getattr(controller, "knows_deployed_tasks", False):
        raise RemoteTaskUsageError(
            f"Task {name} is deployed, not defined here: it can be called inside of a task that runs on a platform. "
            f"Start it with flyte.run(...), or import it."
        )
    if context.in_trace:
        raise TraceDoesNotAllowNestedTasksError(
            f"Task {name} was called inside of a function with @flyte.trace. Call it from the task itself."
        )
    found: Controller = controller
    return found


def on_a_loop() -> bool:
    """Whether an event loop runs on this thread, so that a call has to be awaited."""
    return asyncio._get_running_loop() is not None
