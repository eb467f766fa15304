"""Background work that never dies in silence.

An asyncio task that nobody awaits loses its exception. `BackgroundTasks` keeps every task that it started, logs the
one that fails and tells its owner, who decides whether the process goes on.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

_log = logging.getLogger("flyteplane.tasks")

OnFailure = Callable[[str, BaseException], None]


class BackgroundTasks:
    """The background tasks of one owner, for example of one service.

    Args:
        owner: name for logs.
        on_failure: called on the event loop with the task's name and its error, once for each task that failed.
    """

    def __init__(self, owner: str, *, on_failure: OnFailure | None = None) -> None:
        self._owner = owner
        self._on_failure = on_failure
        # In the order of their start, in which they are also stopped: a simulation has to be the same each time.
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `work` in the background; `name` appears in logs and in `on_failure`."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}.{name}")
        self._tasks[task] = None
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("background_task_failed", extra={"task": task.get_name()}, exc_info=error)
        if self._on_failure is not None:
            self._on_failure(task.get_name(), error)

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self) -> None:
        """Return once nothing runs, of its own accord."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def stop(self) -> None:
        """Cancel what runs and return once all of it has ended. May be called again."""
        while self._tasks:
            running = list(self._tasks)
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            # The done callbacks run one turn of the loop after the tasks are done.
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
