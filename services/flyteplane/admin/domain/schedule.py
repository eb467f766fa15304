"""When triggers fire, as arithmetic on times: microseconds since the epoch in, the same out.

Cron expressions are read in their time zone. Where clocks are put forward, a time of day that does not exist fires at
the first moment after the gap; where they are put back, one that exists twice fires the first time only. Expressions
for every hour or minute follow the elapsed time instead, and neither skip nor repeat.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class ScheduleError(ValueError):
    """An expression that names no time."""


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Times of a cron expression. Raises ScheduleError for one that cannot be read or never comes."""

    expression: str
    timezone: str

    def __post_init__(self) -> None:
        try:
            next(self._walk(0, back=False))
        except (CronSimError, StopIteration) as error:
            raise ScheduleError(f"{self.expression!r} names no time: {error or 'it never comes'}") from error

    def after(self, time_us: int) -> int:
        """The first time after this one."""
        return _microseconds(next(self._walk(time_us, back=False)))

    def until(self, time_us: int) -> Iterator[int]:
        """The times up to this one and including it, the latest first."""
        return map(_microseconds, self._walk(time_us + 1, back=True))

    def _walk(self, time_us: int, *, back: bool) -> Iterator[datetime]:
        # The library reads whole minutes: a start inside of one is rounded so that no time is left out or met twice.
        start = (_EPOCH + time_us * _MICROSECOND).astimezone(ZoneInfo(self.timezone))
        if back:
            start += timedelta(minutes=1) - timedelta(microseconds=1)
        return CronSim(_MACROS.get(self.expression, self.expression), start.replace(second=0, microsecond=0), back)


@dataclass(frozen=True, slots=True)
class FixedRateSchedule:
    """Every so often, counted from an anchor, which is the first time."""

    interval_us: int
    anchor_us: int

    def after(self, time_us: int) -> int:
        """The first time after this one."""
        if time_us < self.anchor_us:
            return self.anchor_us
        return self.anchor_us + ((time_us - self.anchor_us) // self.interval_us + 1) * self.interval_us

    def until(self, time_us: int) -> Iterator[int]:
        """The times up to this one and including it, the latest first."""
        number = (time_us - self.anchor_us) // self.interval_us
        while number >= 0:
            yield self.anchor_us + number * self.interval_us
            number -= 1


Schedule: TypeAlias = CronSchedule | FixedRateSchedule


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
