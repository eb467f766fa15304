"""Opens the admin service: database, stores, use cases, servicers.

    admin = await open_admin(database_url="sqlite:////.../admin.db", objects=..., scheduler_channel=..., ...)
    admin.add_to(server)        # a grpc.aio server or an InProcessServer, or both
    ...
    await admin.close()

Opening does everything that can fail: it migrates the database and reads the outbox. From then on five things run in
the background: deliveries of runs that the scheduler has not taken, the mirror of phases, the firing of triggers, the
sending of notifications, and the sweeping of the object store. All survive a scheduler that is away; a defect in one of
them is told to `on_failure`, and the owner should then end the process.
"""

import getpass
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from flyteapi.admin.v1.data_service_pb2_grpc import add_DataServiceServicer_to_server
from flyteapi.admin.v1.edge_service_pb2_grpc import add_EdgeServiceServicer_to_server
from flyteapi.admin.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from flyteapi.admin.v1.project_service_pb2_grpc import add_ProjectServiceServicer_to_server
from flyteapi.admin.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server
from flyteapi.admin.v1.task_service_pb2_grpc import add_TaskServiceServicer_to_server
from flyteapi.admin.v1.trigger_service_pb2_grpc import add_TriggerServiceServicer_to_server
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from flyteplane.admin.application.abort_run import AbortRun
from flyteplane.admin.application.admission import Admission
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.forgetting import Forgetting
from flyteplane.admin.application.notification_sending import NotificationSending
from flyteplane.admin.application.objects import ObjectAddresses, Objects
from flyteplane.admin.application.outbox import Outbox
from flyteplane.admin.application.phase_mirror import PhaseMirror
from flyteplane.admin.application.projects import Projects
from flyteplane.admin.application.read_runs import ReadRuns
from flyteplane.admin.application.rerun_run import RerunRun
from flyteplane.admin.application.run_traces import RunTraces
from flyteplane.admin.application.tasks import Tasks
from flyteplane.admin.application.trigger_firing import TriggerFiring
from flyteplane.admin.application.triggers import Triggers
from flyteplane.admin.clients.couriers import Couriers
from flyteplane.admin.clients.refusals import encode_refusal
from flyteplane.admin.clients.scheduler import RemoteScheduler
from flyteplane.admin.domain.page_token import KEY_BYTES, PageTokens
from flyteplane.admin.identity import IdentityOptions, IdentityServicers, open_identity
from flyteplane.admin.notifications import NotificationOptions
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.admin.servicer.data_service import DataServicer
from flyteplane.admin.servicer.identity_service import PlatformIdentity
from flyteplane.admin.servicer.project_service import ProjectServicer
from flyteplane.admin.servicer.run_service import RunServicer, RunUseCases
from flyteplane.admin.servicer.task_service import TaskServicer
from flyteplane.admin.servicer.trigger_service import TriggerServicer
from flyteplane.admin.store.addresses import FolderAddresses, PlatformAddresses, SignedAddresses
from flyteplane.admin.store.notifications import SqlNotificationStore
from flyteplane.admin.store.preparation import MIGRATIONS, PlatformKeys, prepare
from flyteplane.admin.store.projects import SqlProjectStore
from flyteplane.admin.store.runs import SqlRunStore
from flyteplane.admin.store.tasks import SqlTaskStore
from flyteplane.admin.store.triggers import SqlTriggerStore
from flyteplane.foundation.clock import SystemClock, TimerClock
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.foundation.tasks import BackgroundTasks, OnFailure
from flyteplane.identity.callers import current_caller
from flyteplane.objects import FolderObjectStore, ObjectStore
from flyteplane.objects.sweeping import Sweeper
from flyteplane.observe import Metrics
from flyteplane.records import Database, open_migrated

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceAsyncStub
    from flyteplane.rpc.inprocess import InProcessServer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Servicers:
    """One for each rpc service of admin."""

    runs: RunServicer
    tasks: TaskServicer
    projects: ProjectServicer
    data: DataServicer
    identity: IdentityServicers
    triggers: TriggerServicer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What the service was given, and the database that it opened."""

    database: Database
    objects: ObjectStore
    scheduler_channel: grpc.aio.Channel
    platform: PlatformIdentity
    clock: TimerClock
    ids: IdSource
    caller_of: CallerOf
    scratch: Path | None
    on_failure: OnFailure | None
    identity: IdentityOptions
    notifications: NotificationOptions
    trace_sample: float
    metrics: Metrics
    keep_runs_s: float


class AdminService:
    """An open admin service. Made by `open_admin`."""

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        background: BackgroundTasks,
        servicers: _Servicers,
        couriers: Couriers,
        stop_reading: Callable[[], None],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._background = background
        self._servicers = servicers
        self._couriers = couriers
        self._stop_reading = stop_reading

    def add_to(self, server: "grpc.aio.Server | InProcessServer") -> None:
        """Register every rpc service of admin with a server."""
        add_RunServiceServicer_to_server(self._servicers.runs, server)
        add_TaskServiceServicer_to_server(self._servicers.tasks, server)
        add_ProjectServiceServicer_to_server(self._servicers.projects, server)
        add_DataServiceServicer_to_server(self._servicers.data, server)
        add_IdentityServiceServicer_to_server(self._servicers.identity.identity, server)
        add_EdgeServiceServicer_to_server(self._servicers.identity.edge, server)
        add_TriggerServiceServicer_to_server(self._servicers.triggers, server)

    async def close(self) -> None:
        """Stop the background work, commit what was taken, and close the database. Stop the servers first."""
        self._stop_reading()
        await self._background.stop()
        self._couriers.close()
        await self._outbox.close()
        await self._database.close()


async def open_admin(
    *,
    database_url: str,
    objects: ObjectStore,
    scheduler_channel: grpc.aio.Channel,
    platform: PlatformIdentity,
    clock: TimerClock | None = None,
    ids: IdSource | None = None,
    caller_of: CallerOf | None = None,
    scratch: Path | None = None,
    on_failure: OnFailure | None = None,
    identity: IdentityOptions | None = None,
    notifications: NotificationOptions | None = None,
    epoch: int | None = None,
    trace_sample: float = 0.0,
    metrics: Metrics | None = None,
    keep_runs_s: float = 0.0,
) -> AdminService:
    """Open the service and begin to deliver what an earlier process left.

    Args:
        database_url: see `flyteplane.records.open_database`.
        objects: the object store of the platform.
        scheduler_channel: the way to the scheduler, which need not answer yet.
        platform: version and mode, for WhoAmI.
        caller_of: the subject of a call; by default whoever the edge has proven it to be, or else the local user.
        scratch: folder for uploads that are under way; by default the system's.
        on_failure: told the name and the error of background work that died.
        identity: which credentials are believed, beside the API keys that it makes.
        notifications: how those of runs that have ended are sent; by default over the web only.
        epoch: of the leadership under which it writes; None for a process that nobody can replace.
        trace_sample: the part of the runs without a trace that are given one.
        metrics: what the service counts is read from there.
        keep_runs_s: how long runs are kept after their end; 0: for ever.

    Raises:
        FailedPrecondition: the database is from a newer build; a key file cannot be used.
        Unavailable, DataLoss, PermissionDenied: the database cannot be opened or written.
    """
    database = await open_migrated(database_url, package=MIGRATIONS, epoch=epoch)
    given = _Given(
        database=database,
        objects=objects,
        scheduler_channel=scheduler_channel,
        platform=platform,
        clock=clock or SystemClock(),
        ids=ids or SystemIds(),
        caller_of=caller_of or proven_caller(),
        scratch=scratch,
        on_failure=on_failure,
        identity=identity or IdentityOptions(),
        notifications=notifications or NotificationOptions(),
        trace_sample=trace_sample,
        metrics=metrics or Metrics(),
        keep_runs_s=keep_runs_s,
    )
    try:
        return await _wire(given)
    except BaseException:
        await database.close()
        raise


def proven_caller() -> CallerOf:
    """Whoever the edge has proven the caller to be; without an edge, the user who runs this process."""
    local = f"local:{getpass.getuser()}"

    def subject(_: Context) -> str:
        caller = current_caller()
        return caller.subject if caller is not None else local

    return subject


@dataclass(frozen=True, slots=True, kw_only=True)
class _Core:
    """What several servicers and the background work share."""

    stub: "SchedulerServiceAsyncStub"
    scheduler: RemoteScheduler
    runs: SqlRunStore
    notifications: SqlNotificationStore
    couriers: Couriers
    sending: NotificationSending
    tasks: SqlTaskStore
    triggers: SqlTriggerStore
    outbox: Outbox
    mirror: PhaseMirror
    tokens: PageTokens
    derivation_key: bytes
    admission: Admission
    create: CreateRun
    firing: TriggerFiring


async def _wire(given: _Given) -> AdminService:
    """Connect the layers and begin the background work."""
    core = await _core(given)
    servicers = _servicers(given, core)
    await core.outbox.start()
    background = BackgroundTasks("admin", on_failure=given.on_failure)
    background.start(core.mirror.run(), name="phases")
    background.start(core.firing.run(), name="triggers")
    background.start(core.sending.run(), name="notifications")
    background.start(Sweeper(given.objects, clock=given.clock).run(), name="objects")
    if given.keep_runs_s:
        forgetting = Forgetting(runs=core.runs, clock=given.clock, keep_s=given.keep_runs_s)
        background.start(forgetting.run(), name="history")
    return AdminService(
        database=given.database,
        outbox=core.outbox,
        background=background,
        servicers=servicers,
        couriers=core.couriers,
        stop_reading=given.metrics.read_from(lambda: chain(core.outbox.readings(), core.sending.readings())),
    )


async def _core(given: _Given) -> _Core:
    now_us = int(given.clock.now() * 1e6)
    fresh = PlatformKeys(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))
    keys = await prepare(given.database, now_us=now_us, fresh=fresh)
    tokens = PageTokens(keys.page_tokens)
    stub = SchedulerServiceStub(given.scheduler_channel)
    notifications, couriers = SqlNotificationStore(given.database), Couriers(given.notifications)
    sending = NotificationSending(
        store=notifications,
        courier=couriers,
        deliveries=given.notifications.usable,
        clock=given.clock,
        ids=given.ids,
        console_url=given.platform.console_url,
    )
    scheduler, tasks = RemoteScheduler(stub), SqlTaskStore(given.database)
    runs = SqlRunStore(given.database, on_notifications_due=sending.wake)
    outbox = Outbox(
        runs=runs,
        scheduler=scheduler,
        clock=given.clock,
        ids=given.ids,
        encode_refusal=encode_refusal,
        on_failure=given.on_failure,
    )
    admission = Admission(tasks=tasks, deliveries=given.notifications.usable)
    triggers = SqlTriggerStore(given.database)
    create = CreateRun(
        runs=runs,
        outbox=outbox,
        clock=given.clock,
        ids=given.ids,
        traces=RunTraces(ids=given.ids, sample=given.trace_sample),
    )
    return _Core(
        stub=stub,
        scheduler=scheduler,
        runs=runs,
        notifications=notifications,
        couriers=couriers,
        sending=sending,
        tasks=tasks,
        triggers=triggers,
        outbox=outbox,
        mirror=PhaseMirror(runs=runs, scheduler=scheduler, clock=given.clock, ids=given.ids),
        tokens=tokens,
        derivation_key=keys.derivation,
        admission=admission,
        create=create,
        firing=TriggerFiring(store=triggers, admission=admission, create=create, clock=given.clock),
    )


def _servicers(given: _Given, core: _Core) -> _Servicers:
    projects, admission, create = SqlProjectStore(given.database), core.admission, core.create
    reads = ReadRuns(
        runs=core.runs,
        tasks=core.tasks,
        notifications=core.notifications,
        scheduler=core.scheduler,
        outbox=core.outbox,
        tokens=core.tokens,
    )
    run_use_cases = RunUseCases(
        admission=admission,
        create=create,
        reads=reads,
        abort=AbortRun(runs=core.runs, outbox=core.outbox, scheduler=core.scheduler),
        rerun=RerunRun(reads=reads, scheduler=core.scheduler, admission=admission, create=create),
        mirror=core.mirror,
    )
    task_use_cases = Tasks(
        store=core.tasks, objects=given.objects, admission=admission, tokens=core.tokens, clock=given.clock
    )
    object_use_cases = Objects(
        store=given.objects,
        addresses=_addresses(given.objects),
        projects=projects,
        ids=given.ids,
        scratch=given.scratch,
    )
    trigger_use_cases = Triggers(
        store=core.triggers,
        tasks=core.tasks,
        admission=admission,
        create=create,
        clock=given.clock,
        ids=given.ids,
        tokens=core.tokens,
        changed=core.firing.wake,
    )
    return _Servicers(
        runs=RunServicer(runs=run_use_cases, scheduler=core.stub, caller_of=given.caller_of),
        tasks=TaskServicer(tasks=task_use_cases, caller_of=given.caller_of),
        projects=ProjectServicer(
            projects=Projects(store=projects, clock=given.clock, tokens=core.tokens), caller_of=given.caller_of
        ),
        data=DataServicer(objects=object_use_cases),
        identity=_identity(given, core),
        triggers=TriggerServicer(trigger_use_cases, caller_of=given.caller_of),
    )


def _identity(given: _Given, core: _Core) -> IdentityServicers:
    return open_identity(
        given.database,
        options=given.identity,
        platform=given.platform,
        tokens=core.tokens,
        derivation_key=core.derivation_key,
        clock=given.clock,
        ids=given.ids,
        caller_of=given.caller_of,
    )


def _addresses(objects: ObjectStore) -> ObjectAddresses:
    if isinstance(objects, FolderObjectStore):
        return FolderAddresses(objects)
    from flyteplane.objects.s3 import S3ObjectStore

    return SignedAddresses(objects, root=objects.root) if isinstance(objects, S3ObjectStore) else PlatformAddresses()
