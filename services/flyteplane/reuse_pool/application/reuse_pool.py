"""The service as its servicers see it: what people and the scheduler may ask of it."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from flyteplane.cluster.demand import worker_demand
from flyteplane.cluster.pool_quota import refuse_beyond_quota
from flyteplane.reuse_pool.application.pool_keeper import PoolKeeper
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.replica_side import ReplicaSide
from flyteplane.reuse_pool.application.scheduler_side import SchedulerSide
from flyteplane.reuse_pool.application.sessions import OpenPool, Session

#: Between two words that figures have changed: people cannot read faster.
_APART_S: Final = 0.25


class ReusePool:
    """The two sides of the relay, and the pools for people."""

    def __init__(
        self, registry: Registry, *, keeper: PoolKeeper, scheduler: SchedulerSide, replicas: ReplicaSide
    ) -> None:
        self._registry = registry
        self._keeper = keeper
        self.scheduler = scheduler
        self.replicas = replicas

    def list_pools(self, *, project: str = "", domain: str = "") -> Sequence[OpenPool]:
        """Living pools, those opened first at the front. Empty arguments stand for all."""
        return [
            pool
            for pool in self._registry.pools.values()
            if project in ("", pool.declaration.scope.project) and domain in ("", pool.declaration.scope.domain)
        ]

    def changes(self) -> AsyncGenerator[None, None]:
        """Rings once, and then whenever figures of pools may have changed."""
        return self._registry.figures_changed.rings(apart_s=_APART_S)

    def get_pool(self, name: str) -> OpenPool:
        """A living pool by name or unique prefix. Raises NotFound."""
        return self._registry.pool(name)

    def start_pause_s(self, pool: OpenPool) -> float:
        """For how long no replica of the pool is started, because starting them has failed."""
        return self._keeper.start_pause_s(pool)

    def drain_pool(self, name: str) -> OpenPool:
        """Let a pool finish what runs and go. Raises NotFound."""
        pool = self._registry.pool(name)
        self._keeper.drain(pool)
        return pool

    def resize_pool(self, name: str, *, min_replicas: int, max_replicas: int) -> OpenPool:
        """Change the bounds of a pool for as long as it lives. Raises NotFound, and InvalidArgument for bounds that
        contradict each other or that the quota of the pool's class does not hold."""
        pool = self._registry.pool(name)
        demand = worker_demand(pool.declaration.template)
        refuse_beyond_quota(pool.declaration.resource_class, demand, replicas=max_replicas, field="max_replicas")
        self._keeper.resize(pool, min_replicas=min_replicas, max_replicas=max_replicas)
        return pool

    def session(self, replica: str) -> Session | None:
        """The conversation with a replica that may speak; None if it is gone or was given up."""
        session = self._registry.sessions.get(replica)
        return session if session is not None and not session.given_up else None
