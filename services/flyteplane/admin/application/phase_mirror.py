"""Follows the scheduler's phases of runs, so that lists can be filtered without asking it.

Phases and the cursor are written in one transaction: after a crash the stream goes on exactly behind the last phase
that was kept. The mirror is never asked what to do; losing it would lose no run. Whoever shows a list and then follows
changes waits for it, so that a run that ended between the two is in one of them.
"""

import asyncio

from flyteplane.admin.application.ports import RunStore, Scheduler
from flyteplane.admin.domain.delivery import retry_delay_s
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError, Unavailable
from flyteplane.foundation.ids import IdSource
from flyteplane.observe import get_logger

_log = get_logger("admin.phases")


class PhaseMirror:
    """Runs until it is cancelled."""

    def __init__(self, *, runs: RunStore, scheduler: Scheduler, clock: TimerClock, ids: IdSource) -> None:
        self._runs = runs
        self._scheduler = scheduler
        self._clock = clock
        self._ids = ids
        self._failures = 0
        self._cursor = 0
        self._moved = asyncio.Event()

    async def has_reached(self, cursor: int) -> None:
        """Wait until lists of runs show every change up to this cursor."""
        while self._cursor < cursor:
            await self._moved.wait()

    async def run(self) -> None:
        """Follow, and begin again behind the stored cursor whenever the stream or the store fails."""
        while True:
            try:
                await self._follow()
            except PlatformError as error:
                await self._back_off(error)
            else:
                await self._back_off(Unavailable("the scheduler ended the stream of phases"))

    async def _follow(self) -> None:
        self._move(await self._runs.phase_cursor())
        async for batch in self._scheduler.phases(self._cursor):
            await self._runs.apply_phases(batch)
            self._move(batch.cursor)
            self._failures = 0

    def _move(self, cursor: int) -> None:
        self._cursor = cursor
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _back_off(self, error: PlatformError) -> None:
        self._failures += 1
        delay_s = retry_delay_s(error, attempt=self._failures, fraction=self._ids.fraction())
        _log.warning("phase_mirror_stands_still", problem=str(error), pause_s=round(delay_s, 1))
        await self._clock.sleep(delay_s)
