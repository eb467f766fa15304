"""Wires the cache: its store, its reservations, its housekeeping and its servicer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteapi.cache.v1.cache_service_pb2_grpc import add_CacheServiceServicer_to_server
from flyteplane.cache.application.computations import Computations
from flyteplane.cache.application.housekeeping import Housekeeping
from flyteplane.cache.application.results import Results
from flyteplane.cache.application.waiting import Waiting
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.cache.servicer.cache_service import CacheServicer
from flyteplane.cache.store.reservations import CoordinatedReservations
from flyteplane.cache.store.sql_entries import SqlEntries
from flyteplane.cache.store.stored_objects import EverythingIsThere
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.records import open_migrated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteplane.cache.application.ports import Entries, StoredObjects
    from flyteplane.cache.domain.entries import Item, PutOutcome
    from flyteplane.coordination.port import Coordination
    from flyteplane.foundation.clock import TimerClock


class CacheService:
    """The cache with its gRPC face."""

    def __init__(
        self,
        *,
        entries: Entries,
        objects: StoredObjects,
        coordination: Coordination,
        limits: CacheLimits,
        clock: TimerClock,
    ) -> None:
        self._entries = entries
        self._background = BackgroundTasks("cache")
        reservations = CoordinatedReservations(coordination, next_era=entries.next_era)
        self._waiting = Waiting(reservations, clock=clock)
        results = Results(entries=entries, objects=objects, limits=limits, clock=clock)
        self._computations = Computations(
            entries=entries,
            results=results,
            reservations=reservations,
            waiting=self._waiting,
            background=self._background,
            clock=clock,
        )
        self.housekeeping = Housekeeping(entries=entries, results=results, limits=limits, clock=clock)
        results.on_put = self._put
        self._servicer = CacheServicer(results, self._computations, clock=clock)
        self._background.start(self.housekeeping.keep(), name="housekeeping")

    def add_to(self, server: Any) -> None:
        """Registers the servicer on a gRPC server, real or in process."""
        add_CacheServiceServicer_to_server(self._servicer, server)

    async def close(self) -> None:
        """Writes what is queued and closes the store. The coordination store belongs to the caller."""
        await self._background.stop()
        await self._waiting.close()
        await self._entries.close()

    def _put(self, items: Sequence[tuple[Item, PutOutcome]]) -> None:
        self.housekeeping.put(items)
        self._computations.put(items)


async def open_cache(
    *,
    database_url: str,
    coordination: Coordination,
    clock: TimerClock,
    objects: StoredObjects | None = None,
    limits: CacheLimits | None = None,
    epoch: int | None = None,
) -> CacheService:
    """Opens the store. Raises PlatformError if it cannot be opened.

    Args:
        objects: looks after the data that results refer to; None: all of it counts as there.
        limits: how much is kept; None: the defaults.
        epoch: of the leadership under which it writes; None for a process that nobody can replace.
    """
    database = await open_migrated(database_url, package="flyteplane.cache.store.migrations", epoch=epoch)
    return CacheService(
        entries=SqlEntries(database),
        objects=objects or EverythingIsThere(),
        coordination=coordination,
        limits=limits or CacheLimits(),
        clock=clock,
    )
