"""How often a failed attempt of a task is tried again, and after what pause.

`retries=n` is n attempts after the first, for failures of the task. Failures of the infrastructure have a budget of
their own, which is not set here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from flyte.spec.limits import MAX_DURATION_S, MAX_RETRIES
from flyte.spec.problems import InvalidSetting


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause before each retry: `base * factor**n` for the n-th retry, counted from 0, at most `cap`.

    Raises InvalidSetting, a ValueError, for a negative base or cap, a factor below 1, or a growing pause without cap.
    """

    base: timedelta
    factor: float = 1.0
    cap: timedelta | None = None

    def __post_init__(self) -> None:
        _check_pause("base", self.base)
        if not isinstance(self.factor, int | float) or not math.isfinite(self.factor) or self.factor < 1.0:
            raise InvalidSetting(f"Backoff.factor must be finite and >= 1.0, got {self.factor}", field="retries")
        if self.cap is not None:
            _check_pause("cap", self.cap)
        elif self.factor > 1.0:
            raise InvalidSetting(
                "Backoff.cap is required when factor > 1.0 to prevent unbounded growth", field="retries"
            )

    def compute_delay(self, n: int) -> timedelta:
        """Return the pause before the n-th retry, counted from 0. Raises ValueError for a negative n."""
        if n < 0:
            raise InvalidSetting(f"Retry index n must be >= 0, got {n}", field="retries")
        if self.cap is None:
            return self.base
        greatest = self.cap.total_seconds()
        try:
            seconds = self.base.total_seconds() * self.factor**n
        except OverflowError:
            return self.cap if self.base else timedelta(0)
        return self.cap if seconds >= greatest else timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """How many retries, and the pause between them (None: the platform's own).

    Raises InvalidSetting, a ValueError, for a count that is negative or not an int.
    """

    count: int
    backoff: Backoff | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.count, int):
            raise InvalidSetting(
                f"RetryStrategy.count must be an int (a retry count), got {self.count!r}", field="retries"
            )
        if self.count < 0:
            raise InvalidSetting(
                f"RetryStrategy.count must be greater than or equal to 0, got {self.count}", field="retries"
            )
        if self.count > MAX_RETRIES:
            raise InvalidSetting(
                f"RetryStrategy.count must be at most {MAX_RETRIES}, got {self.count}", field="retries"
            )


def normalise_retries(retries: object) -> RetryStrategy:
    """Return the retry strategy that a count or a strategy means, or raise InvalidSetting."""
    if isinstance(retries, RetryStrategy):
        return retries
    if isinstance(retries, int):
        return RetryStrategy(retries)
    raise InvalidSetting(
        f"retries must be an int (a retry count) or a flyte.RetryStrategy, got {retries!r}", field="retries"
    )


def _check_pause(name: str, pause: object) -> None:
    if not isinstance(pause, timedelta):
        raise InvalidSetting(f"Backoff.{name} must be a timedelta, got {pause!r}", field="retries")
    if pause < timedelta(0):
        raise InvalidSetting(f"Backoff.{name} must be >= 0, got {pause}", field="retries")
    if pause.total_seconds() > MAX_DURATION_S:
        raise InvalidSetting(f"Backoff.{name} must be at most {MAX_DURATION_S} seconds, got {pause}", field="retries")
