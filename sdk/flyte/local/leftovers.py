"""asyncio tasks that an attempt leaves behind end with it, as they do when a worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

tasks_of_attempt: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("flyte_tasks_of_attempt", default=None)
"""The asyncio tasks that the running attempt has started and that have not ended; None outside of attempts."""


def remember_tasks(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """Make a task, as the task factory of a loop, and remember it for the attempt that makes it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    tasks = tasks_of_attempt.get()
    if tasks is not None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return task


def cancel_leftovers(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel what is left of an attempt that is over."""
    for task in tuple(tasks):
        task.cancel()
