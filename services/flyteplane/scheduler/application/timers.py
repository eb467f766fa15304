"""Timers of actions: one heap and one timer of the clock, for the earliest.

What is due is stored with the action (`not_before`, `placed_at`, `started_at`, `created_at` and the task's policy);
the heap is only an index over it and is rebuilt after a restart. A timer fires late rather than early, and at most
once. Timers that were called off leave the heap when they are half of it, so that long deadlines of short tasks do
not pile up.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Timer, TimerClock
    from flyteplane.scheduler.application.living import Action

#: Below this many timers that were called off, the heap is left as it is.
FEW: Final = 256

Fire = Callable[["Action", str, int], None]


class PendingTimer:
    """One armed timer; without an action it is called off."""

    __slots__ = ("action", "due", "kind", "lease")

    def __init__(self, *, due: float, action: Action, kind: str, lease: int) -> None:
        self.due = due
        self.action: Action | None = action
        self.kind = kind
        self.lease = lease

    def __lt__(self, other: PendingTimer) -> bool:
        return self.due < other.due


def is_armed(action: Action, kind: str) -> bool:
    """Whether the action has a timer of this kind."""
    return any(timer.kind == kind for timer in action.timers)


class Timers:
    """Calls `fire(action, kind, lease)` when a timer is due."""

    def __init__(self, *, clock: TimerClock, fire: Fire) -> None:
        self._clock = clock
        self._fire = fire
        self._heap: list[PendingTimer] = []
        self._called_off = 0
        self._armed: Timer | None = None
        self._armed_for = float("inf")

    def __len__(self) -> int:
        """Timers that will fire."""
        return len(self._heap) - self._called_off

    def arm(self, action: Action, kind: str, *, at: float, lease: int = 0) -> None:
        """Arms a timer for `at` seconds since the epoch; the past means now."""
        due = self._clock.monotonic() + max(0.0, at - self._clock.now())
        timer = PendingTimer(due=due, action=action, kind=kind, lease=lease)
        action.timers += (timer,)
        heapq.heappush(self._heap, timer)
        if due < self._armed_for:
            self._arm()

    def forget(self, action: Action) -> None:
        """Calls all timers of the action off."""
        for timer in action.timers:
            timer.action = None
        self._called_off += len(action.timers)
        action.timers = ()
        if self._called_off > max(FEW, len(self._heap) // 2):
            self._heap = [timer for timer in self._heap if timer.action is not None]
            heapq.heapify(self._heap)
            self._called_off = 0

    def close(self) -> None:
        """Calls everything off."""
        self._heap.clear()
        self._called_off = 0
        if self._armed is not None:
            self._armed.cancel()

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed = None
        self._armed_for = float("inf")
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
            self._called_off -= 1
        if self._heap:
            self._armed_for = self._heap[0].due
            self._armed = self._clock.call_later(self._armed_for - self._clock.monotonic(), self._due)

    def _due(self) -> None:
        self._armed = None
        self._armed_for = float("inf")
        now = self._clock.monotonic()
        while self._heap and (self._heap[0].action is None or self._heap[0].due <= now):
            timer = heapq.heappop(self._heap)
            if timer.action is None:
                self._called_off -= 1
                continue
            timer.action.timers = tuple(other for other in timer.action.timers if other is not timer)
            self._fire(timer.action, timer.kind, timer.lease)
        self._arm()
