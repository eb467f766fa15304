"""The three bounds on the time of an action.

`Timeout` keeps what the user wrote; `bounds` is the strict reading in seconds, made before anything is sent and again
by the services, which keep the bounds. 0 and None both mean "no bound".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from flyte.spec.limits import MAX_DURATION_S
from flyte.spec.problems import InvalidSetting, InvalidSettingType


@dataclass(frozen=True, slots=True)
class Timeout:
    """Bounds on one action, each in seconds or as a timedelta; None or 0 is no bound.

    - `max_runtime`: the running time of each attempt.
    - `max_queued_time`: how long each attempt may wait before it runs.
    - `deadline`: everything, from the first wait to the end of the last attempt; not retried when exceeded.
    """

    max_runtime: timedelta | int | None = None
    max_queued_time: timedelta | int | None = None
    deadline: timedelta | int | None = None


TimeoutType: TypeAlias = Timeout | int | timedelta


@dataclass(frozen=True, slots=True)
class TimeoutBounds:
    """A timeout in seconds; None is no bound."""

    max_runtime_s: float | None = None
    max_queued_time_s: float | None = None
    deadline_s: float | None = None


def timeout_bounds(timeout: object) -> TimeoutBounds:
    """Return the bounds that a timeout means.

    Raises InvalidSettingType for another type than Timeout, int or timedelta, and InvalidSetting for a negative or
    unkeepable duration.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, Timeout | int | timedelta):
        raise InvalidSettingType("Timeout must be an instance of Timeout, int, or timedelta.", field="timeout")
    parts = timeout if isinstance(timeout, Timeout) else Timeout(max_runtime=timeout)
    return TimeoutBounds(
        max_runtime_s=_seconds(parts.max_runtime, field="timeout.max_runtime"),
        max_queued_time_s=_seconds(parts.max_queued_time, field="timeout.max_queued_time"),
        deadline_s=_seconds(parts.deadline, field="timeout.deadline"),
    )


def _seconds(duration: object, *, field: str) -> float | None:
    if duration is None:
        return None
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    elif isinstance(duration, int | float) and not isinstance(duration, bool):
        seconds = float(duration)
    else:
        raise InvalidSettingType(f"{field} must be seconds as an int or a timedelta, got {duration!r}", field=field)
    if not 0 <= seconds <= MAX_DURATION_S:
        raise InvalidSetting(
            f"{field} must be between 0 (no bound) and {MAX_DURATION_S} seconds, got {seconds:g}", field=field
        )
    return seconds or None
