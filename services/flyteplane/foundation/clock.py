"""Time as a parameter.

Code that needs the time takes a `Clock`; code that must be woken takes a `TimerClock`. In production both are the
system's; in tests and in the simulation a `ManualClock` moves only when it is told to, and fires its timers in order
of their time.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A pending call that can be called off."""

    def cancel(self) -> None:
        """Call it off; does nothing if it has fired already."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Seconds since the epoch. May jump when the machine's clock is set; for timestamps only."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment. Never goes back; for durations, leases and timeouts."""


class TimerClock(Clock, Protocol):
    """A clock that also wakes."""

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` on the event loop once `delay_s` seconds have passed."""

    async def sleep(self, delay_s: float) -> None:
        """Return once `delay_s` seconds have passed."""


class SystemClock:
    """The time of this machine and the timers of the running event loop."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(max(delay_s, 0.0), callback)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(delay_s, 0.0))


class _ManualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """A clock that stands still until `advance` is called. Not for use from several threads."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> Timer:
        timer = _ManualTimer(callback)
        heapq.heappush(self._timers, (self._elapsed + max(delay_s, 0.0), next(self._order), timer))
        return timer

    async def sleep(self, delay_s: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`; timers that fall due fire at their own moment, the earliest first."""
        until = self._elapsed + seconds
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heapq.heappop(self._timers)
            self._elapsed = max(self._elapsed, due)
            if (callback := timer.callback) is not None:
                timer.callback = None
                callback()
        self._elapsed = until

    def jump(self, seconds: float) -> None:
        """Set the wall clock forwards or back, as an operator would; durations and timers do not notice."""
        self._start += seconds

    def next_timer_at(self) -> float | None:
        """The monotonic time of the earliest timer that is still wanted; None when there is none."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None
