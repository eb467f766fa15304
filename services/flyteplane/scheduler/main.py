"""Wires the scheduler: stores, clients of the other services, placements, servicers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyteapi.scheduler.v1.cluster_service_pb2_grpc import add_ClusterServiceServicer_to_server
from flyteapi.scheduler.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server
from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import add_ResourceClassServiceServicer_to_server
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from flyteapi.scheduler.v1.worker_data_service_pb2_grpc import add_WorkerDataServiceServicer_to_server
from flyteapi.scheduler.v1.worker_service_pb2_grpc import add_WorkerServiceServicer_to_server
from flyteplane.cluster.ports import CONTACT_MARGIN_S
from flyteplane.cluster.requests import constraints_of
from flyteplane.observe.spans import NoSpans
from flyteplane.records import migrate, open_database
from flyteplane.rpc.tokens import DEFAULT_TTL_S
from flyteplane.scheduler.application.attempt_tokens import Verifier
from flyteplane.scheduler.application.auditing import Audit
from flyteplane.scheduler.application.class_admin import ClassAdministration
from flyteplane.scheduler.application.cluster_list import ClusterList
from flyteplane.scheduler.application.forgetting import Forgetting
from flyteplane.scheduler.application.observing import Observers
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.application.worker_data import WorkerData
from flyteplane.scheduler.clients.fresh_workers import FreshWorkers
from flyteplane.scheduler.clients.other_services import CacheStub, SecretsStub
from flyteplane.scheduler.clients.pool_declarations import PoolDeclarations
from flyteplane.scheduler.clients.pool_stream import LEAST_AWAY_S, PoolStream
from flyteplane.scheduler.clients.provisions import Provisions
from flyteplane.scheduler.clients.run_objects import RunObjects
from flyteplane.scheduler.clients.sweeper import sweep_for_ever
from flyteplane.scheduler.clients.worker_sessions import WorkerSessions
from flyteplane.scheduler.domain.definitions import NO_ENTRIES, Entries
from flyteplane.scheduler.domain.history import FOR_EVER, HistoryLimits
from flyteplane.scheduler.servicer.cluster_service import ClusterServicer
from flyteplane.scheduler.servicer.queue_service import QueueServicer
from flyteplane.scheduler.servicer.resource_class_service import ResourceClassServicer
from flyteplane.scheduler.servicer.scheduler_service import SchedulerServicer
from flyteplane.scheduler.servicer.worker_data_service import WorkerDataServicer
from flyteplane.scheduler.servicer.worker_service import WorkerServicer
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.log_objects import LogObjects
from flyteplane.scheduler.store.sql_administration import SqlAdministration
from flyteplane.scheduler.store.sql_records import SqlRecords

if TYPE_CHECKING:
    import grpc

    from flyteplane.cluster.ports import Cluster
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.objects import ObjectStore
    from flyteplane.scheduler.application.ports import BundlePath, FollowedLogs, MintToken

#: A child of a warm replica ends within a millisecond; one that takes longer is written when it is accepted.
HOLD_S: Final = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """What the scheduler is given by whoever launches it."""

    database_url: str
    logs: Path | None
    """Folder of captured output; None: it is kept in the object store."""
    data_prefix: str
    """URI under which attempts keep their data."""
    scratch: Path
    """Folder of objects that workers are writing."""
    history: HistoryLimits = FOR_EVER
    """How long runs are kept that have ended."""


class SchedulerService:
    """The scheduler with its gRPC face."""

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        placements: tuple[FreshWorkers, PoolStream],
        sessions: WorkerSessions,
        data: WorkerData,
        cluster_list: ClusterList,
    ) -> None:
        self._scheduler = scheduler
        self._placements = placements
        self._sessions = sessions
        self._data = data
        self._cluster_list = cluster_list
        self.stop_reading: Callable[[], None] = lambda: None
        """Ends the reading of its figures."""

    @property
    def scheduler(self) -> Scheduler:
        """The use cases."""
        return self._scheduler

    def add_to(self, server: Any) -> None:
        """Registers what other services and people call on a gRPC server, real or in process."""
        add_SchedulerServiceServicer_to_server(SchedulerServicer(self._scheduler), server)
        administration, clock = self._scheduler.administration, self._scheduler.engine.clock
        queues, classes = QueueAdministration(administration), ClassAdministration(administration)
        add_QueueServiceServicer_to_server(QueueServicer(queues, clock=clock), server)
        add_ResourceClassServiceServicer_to_server(ResourceClassServicer(classes, clock=clock), server)
        add_ClusterServiceServicer_to_server(ClusterServicer(self._cluster_list), server)

    def add_workers_to(self, server: Any) -> None:
        """Registers what workers in pods call, on a server that they can reach. Each call is judged by its token."""
        add_WorkerServiceServicer_to_server(WorkerServicer(self._sessions), server)
        add_WorkerDataServiceServicer_to_server(WorkerDataServicer(self._data), server)

    async def close(self) -> None:
        """Stops placing, then writes what is left. Living runs go on after the next start."""
        stop, self.stop_reading = self.stop_reading, lambda: None
        stop()
        for placement in self._placements:
            await placement.close()
        await self._scheduler.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What the scheduler uses of the other services and of the platform."""

    cache: grpc.aio.Channel
    secrets: grpc.aio.Channel
    reuse_pool: grpc.aio.Channel
    mint_token: MintToken
    token_ttl_s: float = DEFAULT_TTL_S
    """How long these tokens hold."""
    verifier: Verifier
    bundle_path: BundlePath
    objects: ObjectStore
    clusters: Sequence[Cluster]
    """Where fresh workers are placed, in the operator's order."""
    pool_clusters: Collection[str] = ("local",)
    """Where the reuse pool places replicas."""


async def open_scheduler(
    *,
    settings: SchedulerSettings,
    neighbours: Neighbours,
    clock: TimerClock,
    on_failure: Callable[[BaseException], None],
    epoch: int = 1,
    leads: Callable[[], bool] = lambda: True,
    file: Entries = NO_ENTRIES,
    observers: Observers | None = None,
) -> SchedulerService:
    """Opens the store, restores living runs and takes up work.

    Args:
        epoch: of the leadership under which it works; the store's own count is used if that is greater.
        leads: whether this process leads at this very moment, by its own clock.
        file: queues and classes of the operator's file.
        observers: where it tells what it counts and does.
        on_failure: called once something failed after which memory cannot be trusted: the caller then ends the process,
            and a restart goes on from what is durable.

    Raises PlatformError if the store cannot be opened.
    """
    database = await open_database(settings.database_url)
    try:
        await migrate(database, package="flyteplane.scheduler.store.migrations")
    except BaseException:
        await database.close()
        raise
    parts = Parts(
        records=SqlRecords(database),
        logs=_logs(settings, neighbours, clock=clock),
        cache=CacheStub(neighbours.cache),
        clock=clock,
        administration=SqlAdministration(database),
        clusters=neighbours.clusters,
        pool_clusters=neighbours.pool_clusters,
        data_prefix=settings.data_prefix,
        file=file,
        spans=observers.spans if observers is not None else NoSpans(),
        hold_s=HOLD_S,
    )
    scheduler = Scheduler(parts, on_failure=on_failure)
    fresh, pool = _placements(scheduler, neighbours, settings=settings, clock=clock)
    service = _faces(scheduler, neighbours, settings=settings, placements=(fresh, pool), leads=leads)
    try:
        await scheduler.start(epoch=epoch, placements={"fresh": fresh, "pool": pool})
        pool.start()
    except BaseException:
        await service.close()
        raise
    reachable = scheduler.cluster_reachable
    sweeping = sweep_for_ever(fresh, neighbours.clusters, clock=clock, leads=leads, reachable=reachable)
    scheduler.background.start(sweeping, name="sweep workers")
    scheduler.background.start(Audit(scheduler.engine).run_for_ever(clock=clock), name="audit")
    if settings.history.keep_s:
        forgetting = _forgetting(scheduler, neighbours, history=settings.history, clock=clock)
        scheduler.background.start(forgetting.run(), name="history")
    if observers is not None:
        service.stop_reading = observers.metrics.read_from(scheduler.readings)
    return service


def _forgetting(
    scheduler: Scheduler, neighbours: Neighbours, *, history: HistoryLimits, clock: TimerClock
) -> Forgetting:
    return Forgetting(
        records=scheduler.records,
        logs=scheduler.logs,
        data=RunObjects(neighbours.objects) if history.with_data else None,
        admin_follows=lambda: scheduler.run_phases.followed,
        clock=clock,
        keep_s=history.keep_s,
    )


def _logs(settings: SchedulerSettings, neighbours: Neighbours, *, clock: TimerClock) -> FollowedLogs:
    return LogFiles(settings.logs) if settings.logs is not None else LogObjects(neighbours.objects, clock=clock)


def _placements(
    scheduler: Scheduler, neighbours: Neighbours, *, settings: SchedulerSettings, clock: TimerClock
) -> tuple[FreshWorkers, PoolStream]:
    secrets = SecretsStub(neighbours.secrets)
    clusters = {cluster.name: cluster for cluster in neighbours.clusters}
    fresh = FreshWorkers(
        engine=scheduler.engine,
        clusters=clusters,
        constraints=lambda name: constraints_of(scheduler.admission.resource_class(name)),
        provisions=Provisions(
            secrets=secrets,
            mint_token=neighbours.mint_token,
            bundle_path=neighbours.bundle_path,
            data_prefix=settings.data_prefix,
        ),
        background=scheduler.background,
    )
    pool = PoolStream(
        engine=scheduler.engine,
        channel=neighbours.reuse_pool,
        declarations=PoolDeclarations(
            clusters=clusters,
            resource_class=scheduler.admission.resource_class,
            secrets=secrets,
            bundle_path=neighbours.bundle_path,
        ),
        mint_token=neighbours.mint_token,
        background=scheduler.background,
        clock=clock,
        data_prefix=settings.data_prefix,
        away_s=max(LEAST_AWAY_S, *(cluster.contact_s + CONTACT_MARGIN_S for cluster in neighbours.clusters)),
    )
    scheduler.on_reconfigured = pool.redeclare
    return fresh, pool


def _faces(
    scheduler: Scheduler,
    neighbours: Neighbours,
    *,
    settings: SchedulerSettings,
    placements: tuple[FreshWorkers, PoolStream],
    leads: Callable[[], bool],
) -> SchedulerService:
    fresh, _ = placements
    data = WorkerData(
        neighbours.objects,
        verifier=neighbours.verifier,
        data_prefix=settings.data_prefix,
        still_to_begin=fresh.still_to_begin,
        told=fresh.waits,
        scratch=settings.scratch,
    )
    return SchedulerService(
        scheduler,
        placements=placements,
        sessions=WorkerSessions(
            fresh,
            verifier=neighbours.verifier,
            leads=leads,
            clock=scheduler.engine.clock,
            token_ttl_s=neighbours.token_ttl_s,
        ),
        data=data,
        cluster_list=ClusterList(
            neighbours.clusters, workers=lambda name: scheduler.admission.cluster_figures(name).running
        ),
    )
