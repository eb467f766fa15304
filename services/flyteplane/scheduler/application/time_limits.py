"""The limits of time that a task sets: how long an action may wait, how long an attempt may run, when all must be over.

Each is a timer that is armed when its time begins. A timer is a reminder and decides nothing: the wait that it was
armed for may be over when it fires, another may have begun, and the wall clock may have been set back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteplane.scheduler.application.timers import is_armed
from flyteplane.scheduler.domain.state import TimedOut

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.application.living import Action, Attempt
    from flyteplane.scheduler.application.timers import Timers

#: By how much a timer may be early for rounding, in seconds.
_ROUNDING_S: Final = 0.001


class TimeLimits:
    """Arms the timers of limits, and says which limit has passed when one fires."""

    def __init__(self, timers: Timers, *, clock: TimerClock) -> None:
        self._timers = timers
        self._clock = clock

    def arm(self, action: Action) -> None:
        """For an action that waits: what its policy asks for."""
        deadline_s = action.task.policy.deadline_s
        if deadline_s:
            self._timers.arm(action, "deadline", at=action.state.created_at + deadline_s)
        self.arm_wait(action)

    def arm_wait(self, action: Action) -> None:
        """For an action that begins one more wait."""
        if action.task.policy.max_queued_s and not action.state.phase.terminal:
            self._timers.arm(action, "max_queued_time", at=_longest_wait(action))

    def arm_runtime(self, attempt: Attempt) -> None:
        """For an attempt that has begun."""
        action, limit_s = attempt.action, attempt.action.task.policy.max_runtime_s
        if limit_s:
            self._timers.arm(action, "max_runtime", at=action.state.started_at + limit_s, lease=attempt.lease)

    def passed(self, action: Action, which: str, lease: int) -> TimedOut | None:
        """What the timer that fired means; None: nothing, and where need be it is armed again."""
        now, policy = self._clock.now(), action.task.policy
        if which == "max_queued_time" and now < _longest_wait(action) - _ROUNDING_S:
            if not is_armed(action, which):
                self.arm_wait(action)
            return None
        limits = {
            "max_runtime": policy.max_runtime_s,
            "max_queued_time": policy.max_queued_s,
            "deadline": policy.deadline_s,
        }
        return TimedOut(at=now, which=which, limit_s=limits[which], lease=lease)


def _longest_wait(action: Action) -> float:
    """Until when the present wait may last, seconds since the epoch."""
    state = action.state
    return max(state.queued_at, state.not_before) + action.task.policy.max_queued_s
