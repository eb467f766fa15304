"""asyncio tasks that an attempt leaves behind end with it, as they do when a worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextvars import ContextVar
from typing import Any

from flyte.local.attempts import CANCEL_GRACE_S

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


async def end_leftovers(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what is left of an attempt that is over, and give it some seconds to clean up.

    What is being cancelled already is only waited for: a second time would interrupt its cleaning up.
    """
    left = [task for task in tasks if not task.done()]
    for task in left:
        if not task.cancelling():
            task.cancel()
    if left:
        await asyncio.wait(left, timeout=CANCEL_GRACE_S)
