"""Keeps the cache within its limits, beside its work.

How much there is is counted once and then reckoned from what is stored. Nothing is counted again until the reckoning
says that a limit is passed: then the store itself says how much there is, and what was not used for longest goes.
"""

from collections.abc import Sequence
from typing import Final

from flyteplane.cache.application.ports import Entries
from flyteplane.cache.application.results import Results
from flyteplane.cache.domain.entries import Item, PutOutcome
from flyteplane.cache.domain.limits import CacheLimits, Totals, surplus
from flyteplane.foundation.alarm import Alarm
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger

_log = get_logger("cache")

#: Between two looks at what has become too old, in seconds.
ROUND_S: Final = 600.0
#: A key that was reserved so long ago is computed by nobody any more, in seconds.
TOKENS_KEPT_S: Final = 30 * 24 * 3600.0
#: Entries that go in one transaction: others have their turn in between.
_BATCH: Final = 500


class Housekeeping:
    """Evicts by size and age, and writes down what was used."""

    def __init__(self, *, entries: Entries, results: Results, limits: CacheLimits, clock: TimerClock) -> None:
        self._entries = entries
        self._results = results
        self._limits = limits
        self._clock = clock
        self._reckoned: Totals | None = None
        self._alarm = Alarm(clock)

    def put(self, items: Sequence[tuple[Item, PutOutcome]]) -> None:
        """Takes into account what was stored. What replaced something counts twice until the next count."""
        sizes = [item.entry.size_bytes for item, outcome in items if outcome is PutOutcome.STORED]
        added = Totals(entries=len(sizes), bytes=sum(sizes))
        if self._reckoned is None:
            return
        self._reckoned = self._reckoned.plus(added)
        if surplus(self._reckoned, self._limits) != Totals():
            self._alarm.ring()

    async def keep(self) -> None:
        """Works for ever. A store that cannot be asked is asked again in the next round."""
        while True:
            try:
                await self.round()
            except PlatformError as error:
                _log.warning("cache_limits_not_kept", problem=str(error))
            await self._alarm.wait(at_most_s=ROUND_S)

    async def round(self) -> None:
        """Brings the cache within its limits once."""
        now = self._clock.now()
        await self._results.write_down_uses()
        if self._limits.max_age_s:
            before = now - self._limits.max_age_s
            while (await self._entries.expire(created_before=before, most=_BATCH)).entries == _BATCH:
                pass
        await self._entries.forget_tokens(held_before=now - TOKENS_KEPT_S)
        await self._evict()

    async def _evict(self) -> None:
        have = await self._entries.totals()
        self._reckoned = have
        left = surplus(have, self._limits)
        gone = Totals()
        while left.entries > 0 or left.bytes > 0:
            evicted = await self._entries.evict(left, most=_BATCH)
            if not evicted.entries:
                break
            gone, left = gone.plus(evicted), left.minus(evicted)
        if gone.entries:
            self._reckoned = self._reckoned.minus(gone)
            _log.info("cache_results_evicted", results=gone.entries, bytes=gone.bytes)
