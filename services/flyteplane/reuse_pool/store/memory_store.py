"""The register in memory, for tests and for a service without a database."""

from collections.abc import Sequence
from dataclasses import replace

from flyteplane.reuse_pool.application.ports import PoolRecord, ReplicaRecord


class MemoryPoolStore:
    """Implements `PoolStore`. Survives nothing."""

    def __init__(self) -> None:
        self._pools: dict[str, PoolRecord] = {}
        self._pool_ends: dict[str, float] = {}
        self._replicas: dict[str, ReplicaRecord] = {}
        self._replica_ends: dict[str, float] = {}

    async def pools(self) -> Sequence[PoolRecord]:
        """See the port."""
        return list(self._pools.values())

    async def living_replicas(self) -> Sequence[ReplicaRecord]:
        """See the port."""
        return [replica for name, replica in self._replicas.items() if name not in self._replica_ends]

    async def note_pool(self, pool: PoolRecord) -> None:
        """See the port."""
        known = self._pools.get(pool.name)
        self._pools[pool.name] = pool if known is None else replace(pool, created_at=known.created_at)
        self._pool_ends.pop(pool.name, None)

    async def note_pool_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        if name in self._pools:
            self._pool_ends[name] = at

    async def note_replica(self, replica: ReplicaRecord) -> None:
        """See the port."""
        self._replicas.setdefault(replica.name, replica)

    async def note_replica_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        if name in self._replicas:
            self._replica_ends.setdefault(name, at)

    async def prune(self, *, before: float) -> None:
        """See the port."""
        for name in [name for name, at in self._pool_ends.items() if at < before]:
            del self._pool_ends[name], self._pools[name]
        for name in [name for name, at in self._replica_ends.items() if at < before]:
            del self._replica_ends[name], self._replicas[name]

    async def close(self) -> None:
        """See the port."""
