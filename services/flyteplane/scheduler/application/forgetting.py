"""Forgets runs that ended long ago, with what belongs to them: data if the operator says so, output, then rows.

The row of a run goes last, so that a round that is cut short is done again by the next, whoever leads by then. What
goes at a time is little, because writes of runs that live have their turn in between.

Nothing is forgotten while admin is away: it may have been killed before it noted that a run was taken, would hand that
run over again when it is back, and must find it here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.application.ports import LogStore, Records, RunKey, RunRow

_log = get_logger("scheduler.history")

ROUND_S: Final = 3600.0
#: Runs that are looked up at once.
_AT_A_TIME: Final = 100
#: Runs that are forgotten side by side, so that what is removed of them is committed together.
_TOGETHER: Final = 8


class RunData(Protocol):
    """What attempts wrote into the platform's own store."""

    async def forget(self, run: RunKey) -> None:
        """Remove what attempts of a run wrote. Raises Unavailable; what is gone then stays gone."""


class Forgetting:
    """Keeps the history within its bound.

    Args:
        data: None: what attempts wrote stays.
        admin_follows: whether admin is there and follows the phases of runs.
        keep_s: how long runs are kept after their end.
    """

    def __init__(
        self,
        *,
        records: Records,
        logs: LogStore,
        data: RunData | None,
        admin_follows: Callable[[], bool],
        clock: TimerClock,
        keep_s: float,
    ) -> None:
        self._records = records
        self._logs = logs
        self._data = data
        self._admin_follows = admin_follows
        self._clock = clock
        self._keep_s = keep_s

    async def run(self) -> None:
        """Forgets every hour for ever. A store that cannot be asked is asked again in the next round."""
        followed = False
        while True:
            await self._clock.sleep(ROUND_S)
            # An admin that has just come back has an hour for what it has to hand over.
            before, followed = followed, self._admin_follows()
            if not (before and followed):
                continue
            try:
                forgotten = await self.round()
            except PlatformError as error:
                _log.warning("history_not_kept_short", problem=str(error))
                continue
            if forgotten:
                _log.info("runs_forgotten", runs=forgotten)

    async def round(self) -> int:
        """Forgets what is old enough now; returns how many runs that were. Raises PlatformError."""
        before, forgotten = self._clock.now() - self._keep_s, 0
        while ended := await self._records.ended(before=before, limit=_AT_A_TIME):
            for begin in range(0, len(ended), _TOGETHER):
                await asyncio.gather(*map(self._forget, ended[begin : begin + _TOGETHER]))
            forgotten += len(ended)
        await self._records.forget_changes(before=before)
        return forgotten

    async def _forget(self, run: RunRow) -> None:
        if self._data is not None:
            await self._data.forget(run.key)
        await self._logs.forget(run.key)
        await self._records.forget(run.id)
