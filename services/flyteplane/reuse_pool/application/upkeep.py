"""Keeps the register short: pools and replicas that ended long ago are forgotten."""

from typing import Final

from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger
from flyteplane.reuse_pool.application.ports import PoolStore

_log = get_logger("reuse_pool")

#: For how long they are kept after their end.
KEEP_S: Final = 30 * 24 * 3600.0
ROUND_S: Final = 24 * 3600.0


async def keep_short(store: PoolStore, *, clock: TimerClock) -> None:
    """Forget every day for ever. A store that cannot be asked is asked again the next day."""
    while True:
        await clock.sleep(ROUND_S)
        try:
            await store.prune(before=clock.now() - KEEP_S)
        except PlatformError as error:
            _log.warning("register_not_kept_short", problem=str(error))
