"""Wires the scheduler: stores, clients of the other services, placements, servicers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyteapi.scheduler.v1.cluster_service_pb2_grpc import add_ClusterServiceServicer_to_server
from flyteapi.scheduler.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from flyteplane.records import migrate, open_database
from flyteplane.cluster.process_fitness import process_fitness
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.clients.fresh_workers import FreshWorkers
from flyteplane.scheduler.clients.other_services import CacheStub, SecretsStub
from flyteplane.scheduler.clients.pool_stream import PoolStream
from flyteplane.scheduler.domain.admission import Room
from flyteplane.scheduler.servicer import ClusterServicer, QueueServicer, SchedulerServicer
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.sql_records import SqlRecords

if TYPE_CHECKING:
    import grpc

    from flyteplane.cluster.ports import Cluster
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.application.ports import BundlePath, MintToken


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """What the scheduler is given by whoever launches it."""

    database_url: str
    logs: Path
    """Folder of captured output."""
    data_prefix: str
    """URI under which attempts keep their data."""


class SchedulerService:
    """The scheduler with its gRPC face."""

    def __init__(self, scheduler: Scheduler, placements: tuple[FreshWorkers, PoolStream]) -> None:
        self._scheduler = scheduler
        self._placements = placements

    @property
    def scheduler(self) -> Scheduler:
        """The use cases."""
        return self._scheduler

    def add_to(self, server: Any) -> None:
        """Registers all servicers on a gRPC server, real or in process."""
        add_SchedulerServiceServicer_to_server(SchedulerServicer(self._scheduler), server)
        add_QueueServiceServicer_to_server(QueueServicer(self._scheduler), server)
        add_ClusterServiceServicer_to_server(ClusterServicer(self._scheduler), server)

    async def close(self) -> None:
        """Stops placing, then writes what is left. Living runs go on after the next start."""
        for placement in self._placements:
            await placement.close()
        await self._scheduler.close()


async def open_scheduler(
    *,
    settings: SchedulerSettings,
    cluster: Cluster,
    cache_channel: grpc.aio.Channel,
    secrets_channel: grpc.aio.Channel,
    pool_channel: grpc.aio.Channel,
    mint_token: MintToken,
    bundle_path: BundlePath,
    clock: TimerClock,
    on_failure: Callable[[BaseException], None],
) -> SchedulerService:
    """Opens the store, restores living runs and takes up work.

    Raises PlatformError if the store cannot be opened. `on_failure` is called later if it fails under way: the caller
    then ends the process, and a restart goes on from what is durable.
    """
    database = await open_database(settings.database_url)
    try:
        await migrate(database, package="flyteplane.scheduler.store.migrations")
    except BaseException:
        await database.close()
        raise
    capacity = cluster.capacity()
    room = Room(cpu_millis=capacity.cpu_millis, memory_bytes=capacity.memory_bytes)
    parts = Parts(
        records=SqlRecords(database),
        logs=LogFiles(settings.logs),
        cache=CacheStub(cache_channel),
        clock=clock,
        room=room,
        fitness=process_fitness,
    )
    scheduler = Scheduler(parts, on_failure=on_failure)
    secrets = SecretsStub(secrets_channel)
    fresh = FreshWorkers(
        engine=scheduler.engine,
        cluster=cluster,
        secrets=secrets,
        mint_token=mint_token,
        bundle_path=bundle_path,
        background=scheduler.background,
        data_prefix=settings.data_prefix,
    )
    pool = PoolStream(
        engine=scheduler.engine,
        channel=pool_channel,
        secrets=secrets,
        bundle_path=bundle_path,
        background=scheduler.background,
        clock=clock,
        data_prefix=settings.data_prefix,
    )
    service = SchedulerService(scheduler, (fresh, pool))
    try:
        pool.start()
        await scheduler.start(epoch=1, placements={"fresh": fresh, "pool": pool})
    except BaseException:
        await service.close()
        raise
    return service
