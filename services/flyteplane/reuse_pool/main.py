"""Wires the reuse pool: `open_reuse_pool` for a process that carries several services, and for tests."""

import logging
from typing import Final, Self

import grpc

from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import add_ReplicaServiceServicer_to_server
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import add_ReusePoolServiceServicer_to_server
from flyteplane.cluster.ports import Cluster
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.ids import IdSource
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.reuse_pool.application.effect_runner import EffectRunner
from flyteplane.reuse_pool.application.journal import Journal
from flyteplane.reuse_pool.application.lifecycle import ReplicaLifecycle
from flyteplane.reuse_pool.application.pool_keeper import PoolKeeper
from flyteplane.reuse_pool.application.ports import PoolStore, ReplicaTokens, SecretsPort
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.replica_side import ReplicaSide
from flyteplane.reuse_pool.application.reuse_pool import ReusePool
from flyteplane.reuse_pool.application.scheduler_side import SchedulerSide
from flyteplane.reuse_pool.application.timekeeper import Timekeeper
from flyteplane.reuse_pool.domain.policy import PoolSettings
from flyteplane.reuse_pool.servicer.pool_servicer import PoolServicer
from flyteplane.reuse_pool.servicer.replica_servicer import ReplicaServicer
from flyteplane.reuse_pool.store.memory_store import MemoryPoolStore
from flyteplane.reuse_pool.store.sql_store import open_sql_store

_log = logging.getLogger("flyteplane.reuse_pool")

#: Pools and replicas that ended longer ago are forgotten.
_KEEP_S: Final = 30 * 24 * 3600.0
_CLOSE_GRACE_S: Final = 2.0


class ReusePoolService:
    """A running reuse pool. Make one with `open_reuse_pool`."""

    def __init__(
        self,
        reuse_pool: ReusePool,
        *,
        tokens: ReplicaTokens | None,
        lifecycle: ReplicaLifecycle,
        timekeeper: Timekeeper,
        background: BackgroundTasks,
        journal: Journal,
        store: PoolStore,
    ) -> None:
        self.reuse_pool = reuse_pool
        self._tokens = tokens
        self._lifecycle = lifecycle
        self._timekeeper = timekeeper
        self._background = background
        self._journal = journal
        self._store = store
        self._closed = False

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve both services on a server, over the network or in process."""
        add_ReusePoolServiceServicer_to_server(PoolServicer(self.reuse_pool), server)
        add_ReplicaServiceServicer_to_server(ReplicaServicer(self.reuse_pool, tokens=self._tokens), server)

    async def close(self) -> None:
        """Stop all replicas, note their ends, and let go of the register. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._timekeeper.stop()
        await self._lifecycle.stop_all(grace_s=_CLOSE_GRACE_S)
        await self._background.stop()
        await self._journal.close()
        await self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def open_reuse_pool(
    *,
    database_url: str,
    cluster: Cluster,
    clock: TimerClock,
    ids: IdSource,
    secrets: SecretsPort | None = None,
    tokens: ReplicaTokens | None = None,
    settings: PoolSettings | None = None,
) -> ReusePoolService:
    """Open the service: replicas of an earlier life are stopped and noted as lost, then it can be added to a server.

    Args:
        database_url: the register's database, or "" for one in memory.
        cluster: where replicas run; closed by its owner, after the service.
        secrets: resolves secrets of pools that ask for any; None refuses them.
        tokens: checks replicas that come over the network; None refuses them.

    Raises:
        PlatformError: the register cannot be opened.
    """
    store: PoolStore = await open_sql_store(database_url) if database_url else MemoryPoolStore()
    await _sweep(store, cluster, now=clock.now())
    await store.prune(before=clock.now() - _KEEP_S)
    first_seen = {pool.name: pool.created_at for pool in await store.pools()}
    background = BackgroundTasks("reuse_pool")
    journal = Journal()
    registry = Registry(settings or PoolSettings())
    lifecycle = ReplicaLifecycle(
        registry, cluster=cluster, store=store, secrets=secrets, clock=clock, background=background
    )
    timekeeper = Timekeeper(
        clock,
        pools=lambda: registry.pools.values(),
        wake=lambda pool, now: keeper.wake(pool, now),
        turn_over=registry.flush,
    )
    runner = EffectRunner(registry, lifecycle=lifecycle, alarm=timekeeper)
    keeper = PoolKeeper(
        registry,
        runner=runner,
        store=store,
        clock=clock,
        journal=journal,
        life=ids.run_name()[:7],
        first_seen=first_seen,
    )
    replicas = ReplicaSide(registry, keeper=keeper, runner=runner, clock=clock)
    lifecycle.sink = replicas
    lifecycle.start_failed = keeper.start_failed
    scheduler = SchedulerSide(registry, keeper=keeper, runner=runner, clock=clock)
    return ReusePoolService(
        ReusePool(registry, keeper=keeper, scheduler=scheduler, replicas=replicas),
        tokens=tokens,
        lifecycle=lifecycle,
        timekeeper=timekeeper,
        background=background,
        journal=journal,
        store=store,
    )


async def _sweep(store: PoolStore, cluster: Cluster, *, now: float) -> None:
    """Stop what an earlier life of the service left behind: nobody knows any more what it runs."""
    for replica in await store.living_replicas():
        await cluster.stop(replica.name, grace_s=0.0)
        await store.note_replica_end(replica.name, at=now, reason="lost with an earlier life of the service")
        _log.info("replica %s of an earlier life is gone", replica.name)
