"""Triggers as they are stored, and which of their planned times are to be fired now."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice, takewhile
from typing import Final

from flyteplane.admin.domain.schedule import Schedule

#: A planned time that is older has passed, and is a matter of catching up.
LATE_US: Final = 60_000_000
MOST_CATCH_UP: Final = 1_000
DEFAULT_CATCH_UP: Final = 100


class CatchUp(IntEnum):
    """What to do about planned times that have passed. The numbers are those of the message."""

    SKIP = 1
    LAST = 2
    ALL = 3


@dataclass(frozen=True, slots=True, order=True)
class TriggerKey:
    """Names a trigger."""

    project: str
    domain: str
    task_name: str
    name: str

    def __str__(self) -> str:
        return f"{self.task_name}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerState:
    """Where a trigger stands. Times are microseconds since the epoch."""

    active: bool
    anchor_us: int
    """When it was activated, or its schedule changed."""
    fired_until_us: int
    """Planned times up to this one are dealt with."""
    wake_at_us: int | None
    """When there is something to do next: its next planned time, or another try; None for never."""
    last_fired_us: int | None = None
    """The planned time of the last run."""
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrigger:
    """A trigger as stored."""

    key: TriggerKey
    content: bytes
    """Serialised `Trigger` without what is output only."""
    state: TriggerState
    revision: int
    """Grows with every change of this trigger; one that is made anew under its name begins at 1 again."""


def times_to_fire(
    schedule: Schedule, *, fired_until_us: int, now_us: int, catch_up: CatchUp, most: int
) -> Sequence[int]:
    """The planned times to fire now, the oldest first."""
    if catch_up is CatchUp.ALL:
        return _latest(schedule, after_us=fired_until_us, now_us=now_us, most=most)
    after_us = fired_until_us if catch_up is CatchUp.LAST else max(fired_until_us, now_us - LATE_US)
    return _latest(schedule, after_us=after_us, now_us=now_us, most=1)


def _latest(schedule: Schedule, *, after_us: int, now_us: int, most: int) -> Sequence[int]:
    passed = takewhile(lambda time_us: time_us > after_us, schedule.until(now_us))
    return list(islice(passed, most))[::-1]
