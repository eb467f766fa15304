"""Wires the reuse pool: `open_reuse_pool` for a process that carries several services, and for tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import add_ReplicaServiceServicer_to_server
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import add_ReusePoolServiceServicer_to_server
from flyteplane.cluster.ports import Cluster
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.ids import IdSource
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import Metrics
from flyteplane.reuse_pool.application.continuity import Continuity
from flyteplane.reuse_pool.application.effect_runner import EffectRunner
from flyteplane.reuse_pool.application.figures import readings
from flyteplane.reuse_pool.application.journal import Journal
from flyteplane.reuse_pool.application.lifecycle import LifecycleHooks, ReplicaLifecycle
from flyteplane.reuse_pool.application.pool_keeper import PoolKeeper
from flyteplane.reuse_pool.application.ports import Claim, PoolStore, ReplicaTokens, SecretsPort
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.replica_clusters import ReplicaClusters
from flyteplane.reuse_pool.application.replica_sessions import ReplicaSessions
from flyteplane.reuse_pool.application.replica_side import ReplicaSide
from flyteplane.reuse_pool.application.reuse_pool import ReusePool
from flyteplane.reuse_pool.application.scheduler_side import SchedulerSide
from flyteplane.reuse_pool.application.takeover import Takeover
from flyteplane.reuse_pool.application.timekeeper import Timekeeper
from flyteplane.reuse_pool.application.token_renewal import TokenRenewal
from flyteplane.reuse_pool.application.upkeep import KEEP_S, keep_short
from flyteplane.reuse_pool.domain.policy import PoolSettings
from flyteplane.reuse_pool.servicer.pool_servicer import PoolServicer
from flyteplane.reuse_pool.servicer.replica_servicer import ReplicaServicer
from flyteplane.reuse_pool.store.memory_store import MemoryPoolStore
from flyteplane.reuse_pool.store.sql_store import open_sql_store

_CLOSE_GRACE_S: Final = 2.0


class ReusePoolService:
    """A running reuse pool. Make one with `open_reuse_pool`."""

    def __init__(
        self,
        reuse_pool: ReusePool,
        *,
        sessions: ReplicaSessions,
        lifecycle: ReplicaLifecycle,
        timekeeper: Timekeeper,
        background: BackgroundTasks,
        journal: Journal,
        store: PoolStore,
        stop_reading: Callable[[], None],
    ) -> None:
        self.reuse_pool = reuse_pool
        self._stop_reading = stop_reading
        self._sessions = sessions
        self._lifecycle = lifecycle
        self._timekeeper = timekeeper
        self._background = background
        self._journal = journal
        self._store = store
        self._closed = False

    def add_to(self, server: Any) -> None:
        """Serve what the scheduler and people call, over the network or in process."""
        add_ReusePoolServiceServicer_to_server(PoolServicer(self.reuse_pool), server)

    def add_workers_to(self, server: Any) -> None:
        """Serve what replicas in pods call, on a server that they can reach. Each proves itself by its token."""
        add_ReplicaServiceServicer_to_server(ReplicaServicer(self._sessions), server)

    async def close(self) -> None:
        """Stop all replicas, note their ends, and let go of the register. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._stop_reading()
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
    clusters: Sequence[Cluster],
    clock: TimerClock,
    ids: IdSource,
    secrets: SecretsPort | None = None,
    tokens: ReplicaTokens | None = None,
    settings: PoolSettings | None = None,
    metrics: Metrics | None = None,
    epoch: int = 1,
    leads: Callable[[], bool] = lambda: True,
    on_failure: Callable[[BaseException], None] = lambda _: None,
) -> ReusePoolService:
    """Take the register over and what goes on of an earlier life; then it can be added to servers.

    Args:
        database_url: the register's database, or "" for one in memory.
        clusters: where replicas run, the default first; closed by their owner, after the service.
        secrets: resolves secrets of pools that ask for any; None refuses them.
        tokens: checks replicas that come over the network; None refuses them.
        metrics: where the figures of pools are told, until the service is closed.
        epoch: of the leadership under which it works; the register's own count is used if that is greater.
        leads: whether this process leads at this very moment, by its own clock.
        on_failure: called once another leader has the register: the caller then closes this one.

    Raises:
        PlatformError: the register cannot be opened.
    """
    store: PoolStore = await open_sql_store(database_url) if database_url else MemoryPoolStore()
    given = Given(
        clusters=clusters,
        clock=clock,
        ids=ids,
        secrets=secrets,
        tokens=tokens,
        settings=settings or PoolSettings(),
        metrics=metrics or Metrics(),
        leads=leads,
        on_failure=on_failure,
    )
    return await open_on(store, given, epoch=epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the service uses beside its register; see `open_reuse_pool`."""

    clusters: Sequence[Cluster]
    clock: TimerClock
    ids: IdSource
    secrets: SecretsPort | None
    tokens: ReplicaTokens | None
    settings: PoolSettings
    metrics: Metrics
    leads: Callable[[], bool]
    on_failure: Callable[[BaseException], None]


async def open_on(store: PoolStore, given: Given, *, epoch: int) -> ReusePoolService:
    """Open the service on a register, which it closes. Raises PlatformError."""
    try:
        claim = await store.claim(at_least=epoch)
        await store.prune(before=given.clock.now() - KEEP_S)
        first_seen = {pool.name: pool.created_at for pool in await store.pools()}
    except BaseException:
        await store.close()
        raise
    service, takeover = _wire(store, given, claim=claim, first_seen=first_seen)
    try:
        await takeover.run()
    except BaseException:
        await service.close()
        raise
    return service


def _wire(
    store: PoolStore, given: Given, *, claim: Claim, first_seen: dict[str, float]
) -> tuple[ReusePoolService, Takeover]:
    clusters, clock = ReplicaClusters(given.clusters), given.clock
    background = BackgroundTasks("reuse_pool")
    background.start(keep_short(store, clock=clock), name="register")
    journal = Journal(fenced=given.on_failure)
    registry = Registry(given.settings, clock=clock)
    lifecycle = _lifecycle(registry, given, clusters=clusters, store=store, background=background)
    timekeeper = Timekeeper(
        clock,
        pools=lambda: registry.pools.values(),
        wake=lambda pool, now: keeper.wake(pool, now),
        turn_over=registry.flush,
    )
    renewal = TokenRenewal(registry, tokens=given.tokens, clock=clock)
    runner = EffectRunner(registry, lifecycle=lifecycle, timekeeper=timekeeper, renewal=renewal)
    keeper = PoolKeeper(
        registry,
        runner=runner,
        clusters=clusters,
        store=store,
        clock=clock,
        journal=journal,
        life=given.ids.run_name()[:7],
        first_seen=first_seen,
    )
    continuity = Continuity(registry, runner=runner, clock=clock)
    replicas = ReplicaSide(registry, keeper=keeper, runner=runner, continuity=continuity, clock=clock)
    lifecycle.connect(
        LifecycleHooks(
            sink=replicas,
            on_start_failed=keeper.start_failed,
            on_given_up=continuity.gone,
            on_start_moved=lambda pool: runner.run(pool, ()),
            on_secrets=replicas.judge,
        )
    )
    runner.drains = keeper.replica_drains
    scheduler = SchedulerSide(
        registry,
        keeper=keeper,
        runner=runner,
        continuity=continuity,
        settled=replicas.judge,
        note_epoch=store.note_scheduler,
        epoch=claim.scheduler,
        clock=clock,
    )
    reuse_pool = ReusePool(registry, keeper=keeper, scheduler=scheduler, replicas=replicas)
    service = ReusePoolService(
        reuse_pool,
        sessions=ReplicaSessions(reuse_pool, tokens=given.tokens, renewal=renewal, leads=given.leads),
        lifecycle=lifecycle,
        timekeeper=timekeeper,
        background=background,
        journal=journal,
        store=store,
        stop_reading=given.metrics.read_from(lambda: readings(registry)),
    )
    takeover = Takeover(
        registry,
        store=store,
        clusters=clusters,
        keeper=keeper,
        lifecycle=lifecycle,
        continuity=continuity,
        clock=clock,
    )
    return service, takeover


def _lifecycle(
    registry: Registry, given: Given, *, clusters: ReplicaClusters, store: PoolStore, background: BackgroundTasks
) -> ReplicaLifecycle:
    return ReplicaLifecycle(
        registry,
        clusters=clusters,
        store=store,
        secrets=given.secrets,
        tokens=given.tokens,
        clock=given.clock,
        background=background,
        leads=given.leads,
        fenced=given.on_failure,
    )
