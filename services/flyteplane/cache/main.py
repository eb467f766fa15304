"""Wires the cache: its store, its reservations and its servicer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteapi.cache.v1.cache_service_pb2_grpc import add_CacheServiceServicer_to_server
from flyteplane.cache.application.results import Results
from flyteplane.cache.servicer import CacheServicer
from flyteplane.cache.store.reservations import CoordinatedReservations
from flyteplane.cache.store.sql_entries import SqlEntries
from flyteplane.records import migrate, open_database

if TYPE_CHECKING:
    from flyteplane.cache.application.ports import Entries
    from flyteplane.coordination.port import Coordination
    from flyteplane.foundation.clock import Clock


class CacheService:
    """The cache with its gRPC face."""

    def __init__(self, *, entries: Entries, coordination: Coordination, clock: Clock) -> None:
        self._entries = entries
        results = Results(entries=entries, reservations=CoordinatedReservations(coordination), clock=clock)
        self._servicer = CacheServicer(results, clock=clock)

    def add_to(self, server: Any) -> None:
        """Registers the servicer on a gRPC server, real or in process."""
        add_CacheServiceServicer_to_server(self._servicer, server)

    async def close(self) -> None:
        """Writes what is queued and closes the store. The coordination store belongs to the caller."""
        await self._entries.close()


async def open_cache(*, database_url: str, coordination: Coordination, clock: Clock) -> CacheService:
    """Opens the store. Raises PlatformError if it cannot be opened."""
    database = await open_database(database_url)
    await migrate(database, package="flyteplane.cache.store.migrations")
    return CacheService(entries=SqlEntries(database), coordination=coordination, clock=clock)
