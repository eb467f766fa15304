"""A limit on requests that lets terminal work go first.

A burst of creations must not delay the deletions and reads that end work: slots and machines are freed by those. So
there is one token bucket and two queues before it; creations get a token only while nobody else waits for one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum

from flyteplane.foundation.clock import Timer, TimerClock


class Priority(IntEnum):
    """What a request is for; the lower goes first."""

    TERMINAL = 0
    """Deletions, reads, lists: whatever ends work or shows that it has ended."""
    CREATE = 1
    """What starts new work."""


class RateLimiter:
    """A token bucket with priorities.

    Args:
        per_second: tokens that arrive each second.
        burst: tokens that are kept while nobody asks.
        clock: time and timers.
    """

    def __init__(self, *, per_second: float, burst: int, clock: TimerClock) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock.monotonic()
        self._not_before = self._filled_at
        self._waiting: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in Priority)
        self._timer: Timer | None = None

    async def acquire(self, priority: Priority) -> None:
        """Returns when a request of this priority may be made."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[priority].append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._tokens += 1.0
                self._serve()
            raise

    def pause(self, seconds: float) -> None:
        """Lets nothing pass for so long: the server asked for it."""
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def _serve(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        while now >= self._not_before and self._tokens >= 1.0 and (turn := self._next()) is not None:
            self._tokens -= 1.0
            turn.set_result(None)
        self._wake_later(now)

    def _next(self) -> asyncio.Future[None] | None:
        for queue in self._waiting:
            while queue:
                if not (turn := queue.popleft()).done():
                    return turn
        return None

    def _wake_later(self, now: float) -> None:
        if self._timer is not None or not any(self._waiting):
            return
        until_token = max(0.0, 1.0 - self._tokens) / self._per_second
        # A hair later than the token, so that rounding never wakes this too early.
        self._timer = self._clock.call_later(max(until_token, self._not_before - now) + 1e-6, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._serve()
