"""Removes what was on its way into the store when its writer gave up or was killed.

Uploads by signed URLs that nobody completed, objects on their way to a name of their own, and temporary files in a
folder are of no use to anybody, and nobody knows them: an object has its name once it is whole. What is a day old is
removed; the slowest upload takes an hour. Parts of uploads to S3 that were never put together are no objects, and are
for a rule of the bucket.
"""

from typing import Final

from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.objects.folder import FolderObjectStore
from flyteplane.objects.keys import INCOMING, UPLOADS
from flyteplane.objects.port import ObjectStore
from flyteplane.observe import get_logger

#: What was not changed for so long is on its way no longer.
ABANDONED_AFTER_S: Final = 24 * 3600.0
#: Not while everything starts; and then once a day.
FIRST_AFTER_S: Final = 3600.0
ROUND_S: Final = 24 * 3600.0

_log = get_logger("objects")


class Sweeper:
    """Sweeps one store. Two that sweep the same one do no harm."""

    def __init__(self, store: ObjectStore, *, clock: TimerClock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Sweep for ever. A store that cannot be asked is asked again in the next round."""
        pause_s = FIRST_AFTER_S
        while True:
            await self._clock.sleep(pause_s)
            pause_s = ROUND_S
            try:
                removed = await self.sweep()
            except PlatformError as error:
                _log.warning("object_store_not_swept", problem=str(error))
                continue
            if removed:
                _log.info("abandoned_uploads_removed", objects=removed)

    async def sweep(self) -> int:
        """Remove what is abandoned now; returns how many objects and files that were. Raises Unavailable."""
        removed = 0
        for prefix in (UPLOADS, INCOMING):
            removed += await self._sweep_below(prefix)
        if isinstance(self._store, FolderObjectStore):
            removed += await self._store.remove_abandoned()
        return removed

    async def _sweep_below(self, prefix: str) -> int:
        before, after, removed = self._clock.now() - ABANDONED_AFTER_S, "", 0
        while True:
            page = await self._store.list(prefix, after=after)
            for info in page.objects:
                if info.modified_at < before:
                    await self._store.delete(info.key)
                    removed += 1
            if not page.next_after:
                return removed
            after = page.next_after
