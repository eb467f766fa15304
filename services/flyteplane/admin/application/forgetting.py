"""Forgets runs that ended long ago: their rows here, once the scheduler has forgotten what belongs to them."""

from typing import Final

from flyteplane.admin.application.ports import RunStore
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger

_log = get_logger("admin.history")

ROUND_S: Final = 3600.0
#: The scheduler goes first: a name that is free here must be free there too.
_BEHIND_S: Final = 24 * 3600.0
#: Rows that go in one transaction: others have their turn in between.
_BATCH: Final = 200


class Forgetting:
    """Keeps the list of runs within its bound.

    Args:
        keep_s: how long runs are kept after their end, by the scheduler; here a day longer.
    """

    def __init__(self, *, runs: RunStore, clock: TimerClock, keep_s: float) -> None:
        self._runs = runs
        self._clock = clock
        self._keep_s = keep_s + _BEHIND_S

    async def run(self) -> None:
        """Forget every hour for ever. A store that cannot be asked is asked again in the next round."""
        while True:
            await self._clock.sleep(ROUND_S)
            try:
                forgotten = await self.round()
            except PlatformError as error:
                _log.warning("history_not_kept_short", problem=str(error))
                continue
            if forgotten:
                _log.info("runs_forgotten", runs=forgotten)

    async def round(self) -> int:
        """Forget what is old enough now; returns how many runs that were. Raises PlatformError."""
        before_us, forgotten = int((self._clock.now() - self._keep_s) * 1e6), 0
        while gone := await self._runs.forget(before_us=before_us, most=_BATCH):
            forgotten += gone
        return forgotten
