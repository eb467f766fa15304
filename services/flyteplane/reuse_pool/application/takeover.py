"""What a new leader does first: takes up the pools and replicas that an earlier life of the service has left.

Replicas on clusters that outlive their owner are adopted, and their pools opened again with what they were declared
with. Replicas of processes ended with their owner; that is noted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyteplane.observe import get_logger
from flyteplane.reuse_pool.application.sessions import Session
from flyteplane.reuse_pool.domain import continuity

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock
    from flyteplane.reuse_pool.application.continuity import Continuity
    from flyteplane.reuse_pool.application.lifecycle import ReplicaLifecycle
    from flyteplane.reuse_pool.application.pool_keeper import PoolKeeper
    from flyteplane.reuse_pool.application.ports import PoolRecord, PoolStore, ReplicaRecord
    from flyteplane.reuse_pool.application.registry import Registry
    from flyteplane.reuse_pool.application.replica_clusters import ReplicaClusters
    from flyteplane.reuse_pool.application.sessions import OpenPool

_log = get_logger("reuse_pool")


class Takeover:
    """See the module."""

    def __init__(
        self,
        registry: Registry,
        *,
        store: PoolStore,
        clusters: ReplicaClusters,
        keeper: PoolKeeper,
        lifecycle: ReplicaLifecycle,
        continuity: Continuity,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._store = store
        self._clusters = clusters
        self._keeper = keeper
        self._lifecycle = lifecycle
        self._continuity = continuity
        self._clock = clock

    async def run(self) -> None:
        """Take up what there is. Raises PlatformError when the register cannot be read or written."""
        self._registry.continued["takeovers"] += 1
        pools = {record.name: record for record in await self._store.pools()}
        lasting: dict[str, list[ReplicaRecord]] = defaultdict(list)
        for replica in await self._store.living_replicas():
            if self._outlives(replica, pools):
                lasting[replica.pool].append(replica)
            else:
                await self._forget(replica)
        reopened = [self._reopen(pools[name], replicas) for name, replicas in lasting.items()]
        for pool in reopened:
            self._keeper.resume(pool)
        if lasting:
            count = sum(len(replicas) for replicas in lasting.values())
            self._registry.continued["replicas_adopted"] += count
            _log.info("replicas_adopted", replicas=count, pools=len(lasting))

    def _outlives(self, replica: ReplicaRecord, pools: Mapping[str, PoolRecord]) -> bool:
        pool = pools.get(replica.pool)
        cluster = self._clusters.named(replica.cluster) if replica.cluster else None
        return bool(pool is not None and pool.declaration and cluster is not None and cluster.outlives_owner)

    async def _forget(self, replica: ReplicaRecord) -> None:
        """It ended with its owner, or its pool is not known any more; what may still be there of it is ended."""
        for cluster in self._clusters:
            if not cluster.outlives_owner:
                await cluster.stop(replica.name, grace_s=0.0)
            elif cluster.name == replica.cluster:
                self._lifecycle.remove(replica.name, cluster)
        reason = "lost with an earlier life of the service"
        await self._store.note_replica_end(replica.name, at=self._clock.now(), reason=reason)
        _log.info("earlier_replica_gone", replica=replica.name)

    def _reopen(self, record: PoolRecord, replicas: list[ReplicaRecord]) -> OpenPool:
        pool = self._keeper.reopen(record)
        for replica in replicas:
            adopted = continuity.adopt(
                pool.state,
                replica.name,
                age_s=max(0.0, self._clock.now() - replica.started_at),
                overflow=replica.overflow,
                warm=replica.warm,
                draining=replica.draining,
                now=self._clock.monotonic(),
            )
            session = Session(pool=pool, replica=adopted, started_at=replica.started_at)
            self._registry.sessions[replica.name] = session
            self._continuity.await_return(session)
            self._lifecycle.adopt(session)
        return pool
