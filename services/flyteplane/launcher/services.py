"""The table of services: how each is opened, and what it is given.

A service is opened by its `main` and comes back as something that can be added to servers and closed. Services never
see each other: each gets channels to those that it calls, and the channels exist before the services do, so the order
of opening is free of the order of calling.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from flyteplane.identity.revocations import Revocations
from flyteplane.observe import Metrics
from flyteplane.observe.spans import NoSpans, Spans

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from flyteplane.admin.notifications import NotificationOptions
    from flyteplane.cluster.ports import Cluster
    from flyteplane.coordination.port import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.ids import IdSource
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.launcher.operator_file import OperatorFile
    from flyteplane.launcher.operator_keeper import OperatorFileKeeper
    from flyteplane.objects import ObjectStore
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
    objects: ObjectStore
    objects_root: str
    """URI of the object store: an object's URI is this and its key. Ends in "/"."""
    logs: Path | None
    """Folder of captured output; None: it is kept in the object store."""
    bundles: BundleStore
    clusters: Sequence[Cluster]
    """Where workers are placed; the first is the default. None for a process that places none."""
    coordination: Coordination
    channels: Mapping[str, grpc.aio.Channel]
    """Channels to the services, by name."""
    minter: TokenMinter
    verifier: TokenVerifier
    """Make and read the tokens with which attempts and replicas prove who they are."""
    token_key: bytes = field(repr=False)
    """What they are signed with, for whoever derives keys of another kind from it."""
    fail: Callable[[BaseException], None]
    """Called by a service that cannot go on; the whole platform then ends."""
    metrics: Metrics = field(default_factory=Metrics)
    """What services count, for Prometheus."""
    spans: Spans = field(default_factory=NoSpans)
    """Takes what services tell of their work to a collector of traces."""
    owner_key: str = field(default="", repr=False)
    """The key with which the owner of an embedded platform proves itself; empty: there is none."""
    revocations: Revocations = field(default_factory=Revocations)
    """Told of every key and role that somebody loses in this process."""
    console_url: str = ""
    """Where people look at the platform; empty: nowhere."""
    leading: set[str] = field(default_factory=set)
    """The services that this process leads at present; kept up by whoever elects."""

    @property
    def operator(self) -> OperatorFile:
        """What the operator's file says now; the defaults without one."""
        return self.operator_file.current

    @property
    def keys(self) -> Path:
        """Where the platform's secret keys are: the operator's folder, or one in that of the platform."""
        return keys_folder(self.folder, self.operator)

    @property
    def notifications(self) -> NotificationOptions:
        """How notifications are sent: mails into a folder where a platform for one user has no mail server."""
        options = self.operator.notifications
        own = self.mode == "embedded" and options.mail_server is None
        return replace(options, mail_folder=self.folder.mail) if own else options

    @property
    def trace_sample(self) -> float:
        """The part of the runs that a trace is begun for; 0 where traces go nowhere."""
        return self.operator.telemetry.sample if self.spans.wanted else 0.0

    def database_url(self, service: str) -> str:
        """Where a service keeps its records: in the operator's database, or in a file of the folder."""
        return self.operator.services.database_url(service) or self.folder.database_url(service)


def keys_folder(folder: PlatformFolder, operator: OperatorFile) -> Path:
    """Where secret keys are."""
    return operator.services.keys or folder.keys


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """A row of the table."""

    name: str
    open: Callable[[Surroundings], Awaitable[OpenService]]


class OpenAsLeader(Protocol):
    """Opens a service for one term of leading it."""

    async def __call__(
        self, given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
    ) -> OpenService:
        """Open it. Raises PlatformError.

        Args:
            epoch: greater than that of every leader before.
            leads: whether it leads at this very moment.
            fail: called once it cannot go on.
        """


async def _open_admin(given: Surroundings) -> OpenService:
    return await _admin(given, epoch=None, fail=given.fail)


async def open_admin_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> OpenService:
    """See `OpenAsLeader`. Handing a run over twice is harmless, so admin need not ask whether it leads."""
    return await _admin(given, epoch=epoch, fail=fail)


async def _admin(given: Surroundings, *, epoch: int | None, fail: Callable[[BaseException], None]) -> OpenService:
    from flyteplane.admin.identity import IdentityOptions
    from flyteplane.admin.main import open_admin
    from flyteplane.admin.servicer.identity_service import PlatformIdentity

    return await open_admin(
        database_url=given.database_url("admin"),
        objects=given.objects,
        scheduler_channel=given.channels["scheduler"],
        platform=PlatformIdentity(version=given.version, mode=given.mode, console_url=given.console_url),
        clock=given.clock,
        ids=given.ids,
        scratch=given.folder.scratch,
        on_failure=lambda _, error: fail(error),
        identity=IdentityOptions(
            settings=given.operator.identity, owner_key=given.owner_key, revocations=given.revocations
        ),
        notifications=given.notifications,
        epoch=epoch,
        trace_sample=given.trace_sample,
        metrics=given.metrics,
        keep_runs_s=given.operator.history.keep_s,
    )


async def _open_scheduler(given: Surroundings) -> OpenService:
    # Alone on its folder, which the lock sees to; the store counts epochs up with every start.
    return await open_scheduler_service(given, epoch=1, leads=lambda: True, fail=given.fail)


async def open_scheduler_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> SchedulerService:
    """See `OpenAsLeader`."""
    from flyteplane.rpc.tokens import attempt_token_mint, ttl_beyond
    from flyteplane.scheduler.application.observing import Observers
    from flyteplane.scheduler.main import Neighbours, SchedulerSettings, open_scheduler

    ttl_s = ttl_beyond(cluster.contact_s for cluster in given.clusters)
    service = await open_scheduler(
        settings=SchedulerSettings(
            database_url=given.database_url("scheduler"),
            logs=given.logs,
            data_prefix=f"{given.objects_root}data/",
            scratch=given.folder.scratch,
            history=given.operator.history,
        ),
        neighbours=Neighbours(
            cache=given.channels["cache"],
            secrets=given.channels["secrets"],
            reuse_pool=given.channels["reuse_pool"],
            mint_token=attempt_token_mint(given.minter, ttl_s=ttl_s),
            token_ttl_s=ttl_s,
            verifier=given.verifier,
            bundle_path=given.bundles.bundle_path,
            objects=given.objects,
            clusters=given.clusters,
            pool_clusters=[cluster.name for cluster in given.clusters],
        ),
        clock=given.clock,
        epoch=epoch,
        leads=leads,
        observers=Observers(metrics=given.metrics, spans=given.spans),
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
    return await _cache(given, epoch=None)


async def open_cache_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> OpenService:
    """See `OpenAsLeader`. The cache does nothing by itself but tidy up."""
    return await _cache(given, epoch=epoch)


async def _cache(given: Surroundings, *, epoch: int | None) -> OpenService:
    from flyteplane.cache.main import open_cache
    from flyteplane.cache.store.stored_objects import PlatformObjects

    return await open_cache(
        database_url=given.database_url("cache"),
        coordination=given.coordination,
        clock=given.clock,
        objects=PlatformObjects(given.objects, prefix=given.objects_root),
        limits=given.operator.cache,
        epoch=epoch,
    )


async def _open_secrets(given: Surroundings) -> OpenService:
    return await _secrets(given, epoch=None)


async def open_secrets_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> OpenService:
    """See `OpenAsLeader`. The secrets service does nothing by itself."""
    return await _secrets(given, epoch=epoch)


async def _secrets(given: Surroundings, *, epoch: int | None) -> OpenService:
    from flyteplane.secrets.main import open_secrets

    return await open_secrets(
        database_url=given.database_url("secrets"),
        keys_folder=given.keys,
        verifier=given.verifier,
        clock=given.clock,
        settings=given.operator.secrets,
        epoch=epoch,
    )


async def _open_reuse_pool(given: Surroundings) -> OpenService:
    # Alone on its folder, like the scheduler.
    return await open_reuse_pool_service(given, epoch=1, leads=lambda: True, fail=given.fail)


async def open_reuse_pool_service(
    given: Surroundings, *, epoch: int, leads: Callable[[], bool], fail: Callable[[BaseException], None]
) -> ReusePoolService:
    """See `OpenAsLeader`."""
    from flyteplane.reuse_pool.clients.secrets_client import SecretsOverRpc
    from flyteplane.reuse_pool.main import open_reuse_pool
    from flyteplane.rpc.tokens import ReplicaTokens, ttl_beyond

    ttl_s = ttl_beyond(cluster.contact_s for cluster in given.clusters)
    tokens = ReplicaTokens(given.minter, given.verifier, ttl_s=ttl_s)
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

#: How each is opened by the process that was elected to lead it.
AS_LEADER: Final[Mapping[str, OpenAsLeader]] = {
    "admin": open_admin_service,
    "scheduler": open_scheduler_service,
    "cache": open_cache_service,
    "secrets": open_secrets_service,
    "reuse_pool": open_reuse_pool_service,
}

#: Every service has an address inside of the process, opened or not.
SERVICE_NAMES: Final = tuple(entry.name for entry in SERVICES)
