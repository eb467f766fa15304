"""One timer for all pools: it is set to the earliest time at which any of them may have something to do.

A timer that fires late means that this process was stopped or starved. What replicas said in the meantime waits unread,
so the time away is not held against them.
"""

from collections.abc import Callable, Iterable
from typing import Final

from flyteplane.foundation.clock import Timer, TimerClock
from flyteplane.reuse_pool.application.sessions import OpenPool
from flyteplane.reuse_pool.domain.deadlines import forgive

NEVER: Final = float("inf")
#: A timer that is later than this was not merely busy.
_AWAY_S: Final = 1.0


class Timekeeper:
    """Calls `wake` for each pool whose time has come.

    Args:
        pools: the living pools, looked at when the timer fires.
        wake: does what is due in one pool.
        turn_over: called after all of them.
    """

    def __init__(
        self,
        clock: TimerClock,
        *,
        pools: Callable[[], Iterable[OpenPool]],
        wake: Callable[[OpenPool, float], None],
        turn_over: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._pools = pools
        self._wake = wake
        self._turn_over = turn_over
        self._at = NEVER
        self._timer: Timer | None = None

    def set(self, at: float) -> None:
        """Make sure that pools are woken at that time, or earlier."""
        if at < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._at = at
            self._timer = self._clock.call_later(max(0.0, at - self._clock.monotonic()), self._fire)

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        # Nothing is earlier than this, so it is never set again.
        self._at = -NEVER

    def _fire(self) -> None:
        now = self._clock.monotonic()
        away_s = now - self._at
        self._at, self._timer = NEVER, None
        pools = list(self._pools())
        if away_s > _AWAY_S:
            for pool in pools:
                forgive(pool.state, away_s)
        for pool in pools:
            if pool.state.wake_at <= now:
                self._wake(pool, now)
            self.set(pool.state.wake_at)
        self._turn_over()
