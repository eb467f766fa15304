"""An event loop that knows when nothing is left to happen, and whose time stands still until it is moved.

A simulation may then ask for "everything that follows from this" and get exactly that, whatever the number of passes
that it takes; and timers of asyncio itself keep the same time as those of the code under test.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from flyteplane.foundation.clock import ManualClock

T = TypeVar("T")


class _NoInput(selectors.SelectSelector):
    """Nothing comes in from outside; being asked to wait means that all work is done."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: Callable[[float | None], None] = lambda timeout: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self.idle(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, clock: ManualClock) -> None:
        self._no_input = _NoInput()
        self._manual_clock = clock
        self._settled: asyncio.Future[None] | None = None
        self._own_timer_at: float | None = None
        super().__init__(self._no_input)
        self._no_input.idle = self._idle

    def time(self) -> float:
        """The virtual time."""
        return self._manual_clock.monotonic()

    async def settle(self) -> None:
        """Returns once nothing is left to happen at this moment."""
        self._settled = self.create_future()
        await self._settled

    def next_timer_at(self) -> float | None:
        """When the next timer fires, be it the clock's or one of asyncio's own. Known after `settle`."""
        times = [at for at in (self._manual_clock.next_timer_at(), self._own_timer_at) if at is not None]
        return min(times, default=None)

    def _idle(self, timeout: float | None) -> None:
        self._own_timer_at = None if timeout is None else self.time() + timeout
        if self._settled is None or self._settled.done():
            raise RuntimeError("nothing can happen any more, and somebody waits for it")
        self._settled.set_result(None)


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]], *, clock: ManualClock) -> T:
    """Runs to the end on a loop of its own."""
    loop = VirtualLoop(clock)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(_end_all(loop))
        loop.close()


async def _end_all(loop: VirtualLoop) -> None:
    """What was left half done, such as by a process that was killed, is taken down with the loop."""
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await loop.settle()
    await loop.shutdown_asyncgens()
