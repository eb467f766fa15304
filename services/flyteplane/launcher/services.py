"""The table of services: how each is opened, and what it is given.

A service is opened by its `main` and comes back as something that can be added to servers and closed. Services never
see each other: each gets channels to those that it calls, and the channels exist before the services do, so the order
of opening is free of the order of calling.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from flyteplane.observe import Metrics

if TYPE_CHECKING:
    import grpc

    from flyteplane.cluster.ports import Cluster
    from flyteplane.coordination.port import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.ids import IdSource
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.launcher.operator_file import OperatorFile
    from flyteplane.launcher.operator_keeper import OperatorFileKeeper
    from flyteplane.objects import FolderObjectStore
    from flyteplane.objects.bundles import BundleStore
    from flyteplane.reuse_pool.main import ReusePoolService
    from flyteplane.rpc.tokens import TokenMinter, TokenVerifier
    from flyteplane.scheduler.main import SchedulerService


class OpenService(Protocol):
    """A service that runs."""

    def add_to(self, server: Any) -> None:
        """Register its rpc services with a server, real or in process. Called once for each server."""

    async def close(self) -> None:
        """Stop its background work, make durable what was taken, let go of its stores."""


@runtime_checkable
class ServesWorkers(Protocol):
    """A service that workers call as well."""

    def add_workers_to(self, server: Any) -> None:
        """Register what workers call, on a listener of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What services are given."""

    folder: PlatformFolder
    version: str
    mode: str
    """How the platform runs, as clients are told: "embedded", or "services" when it is several processes."""
    operator_file: OperatorFileKeeper
    """Holds what the operator's file says, and reads it again."""
    clock: TimerClock
    ids: IdSource
    objects: FolderObjectStore
    bundles: BundleStore
    clusters: Sequence[Cluster]
    """Where workers are placed; the first is the default. None for a process that places none."""
    coordination: Coordination
    channels: Mapping[str, grpc.aio.Channel]
    """Channels to the services, by name."""
    minter: TokenMinter
    verifier: TokenVerifier
    """Make and read the tokens with which attempts and replicas prove who they are."""
    fail: Callable[[BaseException], None]
    """Called by a service that cannot go on; the whole platform then ends."""
    metrics: Metrics = field(default_factory=Metrics)
    """What services count, for Prometheus."""

    @property
    def operator(self) -> OperatorFile:
        """What the operator's file says now; the defaults without one."""
        return self.operator_file.current

    def database_url(self, service: str) -> str:
        """Where a service keeps its records: in the operator's database, or in a file of the folder."""
        return self.operator.services.database_url(service) or self.folder.database_url(service)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """A row of the table."""

    name: str
    open: Callable[[Surroundings], Awaitable[OpenService]]


async def _open_admin(given: Surroundings) -> OpenService:
    from flyteplane.admin.main import open_admin
    from flyteplane.admin.servicer.identity_service import PlatformIdentity

    return await open_admin(
        database_url=given.database_url("admin"),
        objects=given.objects,
        scheduler_channel=given.channels["scheduler"],
        platform=PlatformIdentity(version=given.version, mode=given.mode),
        clock=given.clock,
        ids=given.ids,
        scratch=given.folder.scratch,
        on_failure=lambda _, error: given.fail(error),
    )


async def _open_scheduler(given: Surroundings) -> OpenService:
    # Alone on its folder, which the lock sees to; the store counts epochs up with every start.
    return await open_scheduler_service(given, epoch=1, leads=lambda: True, fail=given.fail)


async def open_scheduler_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> SchedulerService:
    """Open the scheduler as the leader of `epoch`. Raises PlatformError.

    Args:
        leads: whether it leads at this very moment.
        fail: called once it cannot go on.
    """
    from flyteplane.rpc.tokens import attempt_token_mint
    from flyteplane.scheduler.main import Neighbours, SchedulerSettings, open_scheduler

    service = await open_scheduler(
        settings=SchedulerSettings(
            database_url=given.database_url("scheduler"),
            logs=given.folder.logs,
            data_prefix=f"file://{given.folder.objects}/data/",
            scratch=given.folder.scratch,
        ),
        neighbours=Neighbours(
            cache=given.channels["cache"],
            secrets=given.channels["secrets"],
            reuse_pool=given.channels["reuse_pool"],
            mint_token=attempt_token_mint(given.minter),
            verifier=given.verifier,
            bundle_path=given.bundles.bundle_path,
            objects=given.objects,
            clusters=given.clusters,
            pool_clusters=[cluster.name for cluster in given.clusters],
        ),
        clock=given.clock,
        epoch=epoch,
        leads=leads,
        file=given.operator.entries,
        on_failure=fail,
    )
    try:
        await given.operator_file.follow(service.scheduler.administration.take_file)
    except BaseException:
        await service.close()
        raise
    return service


async def _open_cache(given: Surroundings) -> OpenService:
    from flyteplane.cache.main import open_cache
    from flyteplane.cache.store.stored_objects import PlatformObjects

    return await open_cache(
        database_url=given.database_url("cache"),
        coordination=given.coordination,
        clock=given.clock,
        objects=PlatformObjects(given.objects, prefix=f"file://{given.folder.objects}/"),
        limits=given.operator.cache,
    )


async def _open_secrets(given: Surroundings) -> OpenService:
    from flyteplane.secrets.main import open_secrets

    return await open_secrets(
        database_url=given.database_url("secrets"),
        keys_folder=given.folder.keys,
        verifier=given.verifier,
        clock=given.clock,
        settings=given.operator.secrets,
    )


async def _open_reuse_pool(given: Surroundings) -> OpenService:
    # Alone on its folder, like the scheduler.
    return await open_reuse_pool_service(given, epoch=1, leads=lambda: True, fail=given.fail)


async def open_reuse_pool_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> ReusePoolService:
    """Open the reuse pool as the leader of `epoch`; otherwise like `open_scheduler_service`."""
    from flyteplane.reuse_pool.clients.secrets_client import SecretsOverRpc
    from flyteplane.reuse_pool.main import open_reuse_pool
    from flyteplane.rpc.tokens import ReplicaTokens

    tokens = ReplicaTokens(given.minter, given.verifier)
    return await open_reuse_pool(
        database_url=given.database_url("reuse_pool"),
        clusters=given.clusters,
        clock=given.clock,
        ids=given.ids,
        secrets=SecretsOverRpc(given.channels["secrets"], minter=tokens),
        tokens=tokens,
        settings=given.operator.reuse_pool,
        metrics=given.metrics,
        epoch=epoch,
        leads=leads,
        on_failure=fail,
    )


#: In the order of opening; closed in the opposite order.
SERVICES: Final = (
    ServiceEntry(name="cache", open=_open_cache),
    ServiceEntry(name="secrets", open=_open_secrets),
    ServiceEntry(name="reuse_pool", open=_open_reuse_pool),
    ServiceEntry(name="scheduler", open=_open_scheduler),
    ServiceEntry(name="admin", open=_open_admin),
)

#: Every service has an address inside of the process, opened or not.
SERVICE_NAMES: Final = tuple(entry.name for entry in SERVICES)
