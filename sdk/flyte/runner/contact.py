"""For how long a worker may still go on without a word from its scheduler.

The scheduler gives an attempt to somebody else some time after it has last answered, so whoever runs it must have
stopped by then, also if it was itself stopped meanwhile. The moment lies in memory that the agent shares with the
worker: each of the two looks at it before it says anything, and either ends the task alone if the other is stuck.

Time is counted with the machine's suspension. Each answer is as old as the sending of what it answers: what comes late
extends nothing.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from typing import Final

_NEVER: Final = float("inf")


def boot_time() -> float:
    """Seconds since the machine was started, those of its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Contact:
    """The moment until which the worker may go on. Survives a fork: parent and child share it.

    Args:
        contact_s: how long an answer lasts, from the sending of what it answers.
        now: a clock that is the same in all processes of the machine, in seconds.
    """

    def __init__(self, contact_s: float, *, now: Callable[[], float] = boot_time) -> None:
        self.contact_s = contact_s
        self._now = now
        # A double that is written as a whole; nothing of it can be seen half.
        self._until = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
        self._until[0] = _NEVER

    @property
    def begun(self) -> bool:
        """Whether there was any contact; nothing can lapse before."""
        return self._until[0] != _NEVER

    @property
    def lapsed(self) -> bool:
        """Whether the worker must not go on. Once true, it stays so."""
        return self._now() >= self._until[0]

    @property
    def left_s(self) -> float:
        """Seconds that are left; infinite before the first contact."""
        return self._until[0] - self._now()

    def answered(self, sent_at: float) -> None:
        """Something that was sent at this moment has been answered."""
        until = sent_at + self.contact_s
        if not self.lapsed and (not self.begun or until > self._until[0]):
            self._until[0] = until

    def now(self) -> float:
        """The time by this clock."""
        return self._now()
