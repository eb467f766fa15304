"""The register in memory, for tests and for a service without a database.

`open` gives another owner the same rows, as a later leader finds them in a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flyteplane.foundation.errors import Aborted
from flyteplane.reuse_pool.application.ports import Claim, PoolRecord, ReplicaRecord


@dataclass(slots=True, eq=False)
class _Rows:
    """What a database would hold."""

    epoch: int = 0
    scheduler: int = 0
    pools: dict[str, PoolRecord] = field(default_factory=dict)
    pool_ends: dict[str, float] = field(default_factory=dict)
    replicas: dict[str, ReplicaRecord] = field(default_factory=dict)
    replica_ends: dict[str, float] = field(default_factory=dict)


class MemoryPoolStore:
    """Implements `PoolStore`. Survives nothing but its owner."""

    def __init__(self, rows: _Rows | None = None) -> None:
        self._rows = rows or _Rows()
        self._epoch = 0

    def open(self) -> MemoryPoolStore:
        """The same rows for another owner."""
        return MemoryPoolStore(self._rows)

    async def claim(self, *, at_least: int) -> Claim:
        """See the port."""
        self._epoch = self._rows.epoch = max(self._rows.epoch + 1, at_least)
        return Claim(epoch=self._epoch, scheduler=self._rows.scheduler)

    async def note_scheduler(self, epoch: int) -> None:
        """See the port."""
        self._guarded().scheduler = epoch

    async def pools(self) -> Sequence[PoolRecord]:
        """See the port."""
        return list(self._rows.pools.values())

    async def living_replicas(self) -> Sequence[ReplicaRecord]:
        """See the port."""
        return [replica for name, replica in self._rows.replicas.items() if name not in self._rows.replica_ends]

    async def note_pool(self, pool: PoolRecord) -> None:
        """See the port."""
        rows = self._guarded()
        known = rows.pools.get(pool.name)
        rows.pools[pool.name] = pool if known is None else replace(pool, created_at=known.created_at)
        rows.pool_ends.pop(pool.name, None)

    async def note_bounds(self, name: str, *, min_replicas: int, max_replicas: int) -> None:
        """See the port."""
        rows = self._guarded()
        if name in rows.pools:
            rows.pools[name] = replace(rows.pools[name], min_replicas=min_replicas, max_replicas=max_replicas)

    async def note_pool_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        rows = self._guarded()
        if name in rows.pools:
            rows.pool_ends[name] = at

    async def note_replica(self, replica: ReplicaRecord) -> None:
        """See the port."""
        self._guarded().replicas.setdefault(replica.name, replica)

    async def note_warm(self, name: str) -> None:
        """See the port."""
        rows = self._guarded()
        if name in rows.replicas:
            rows.replicas[name] = replace(rows.replicas[name], warm=True)

    async def note_draining(self, name: str) -> None:
        """See the port."""
        rows = self._guarded()
        if name in rows.replicas:
            rows.replicas[name] = replace(rows.replicas[name], draining=True)

    async def note_replica_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        rows = self._guarded()
        if name in rows.replicas:
            rows.replica_ends.setdefault(name, at)

    async def prune(self, *, before: float) -> None:
        """See the port."""
        rows = self._guarded()
        for name in [name for name, at in rows.pool_ends.items() if at < before]:
            del rows.pool_ends[name], rows.pools[name]
        for name in [name for name, at in rows.replica_ends.items() if at < before]:
            del rows.replica_ends[name], rows.replicas[name]

    async def close(self) -> None:
        """See the port."""

    def _guarded(self) -> _Rows:
        """The rows, for a write. Raises Aborted (FENCED)."""
        if not self._epoch or self._rows.epoch != self._epoch:
            raise Aborted(f"epoch {self._epoch} was replaced by {self._rows.epoch}", reason="FENCED")
        return self._rows
