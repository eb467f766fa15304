"""Opens the admin service: database, stores, use cases, servicers.

    admin = await open_admin(database_url="sqlite:////.../admin.db", objects=..., scheduler_channel=..., ...)
    admin.add_to(server)        # a grpc.aio server or an InProcessServer, or both
    ...
    await admin.close()

Opening does everything that can fail: it migrates the database and reads the outbox. From then on two things run in
the background: deliveries of runs that the scheduler has not taken, and the mirror of phases. Both survive a
scheduler that is away; a defect in one of them is told to `on_failure`, and the owner should then end the process.
"""

import getpass
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from flyteapi.admin.v1.data_service_pb2_grpc import add_DataServiceServicer_to_server
from flyteapi.admin.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from flyteapi.admin.v1.project_service_pb2_grpc import add_ProjectServiceServicer_to_server
from flyteapi.admin.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server
from flyteapi.admin.v1.task_service_pb2_grpc import add_TaskServiceServicer_to_server
from flyteapi.admin.v1.trigger_service_pb2_grpc import add_TriggerServiceServicer_to_server
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from flyteplane.admin.application.abort_run import AbortRun
from flyteplane.admin.application.admission import Admission
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.objects import ObjectAddresses, Objects
from flyteplane.admin.application.outbox import Outbox
from flyteplane.admin.application.phase_mirror import PhaseMirror
from flyteplane.admin.application.projects import Projects
from flyteplane.admin.application.read_runs import ReadRuns
from flyteplane.admin.application.rerun_run import RerunRun
from flyteplane.admin.application.tasks import Tasks
from flyteplane.admin.clients.refusals import encode_refusal
from flyteplane.admin.clients.scheduler import RemoteScheduler
from flyteplane.admin.domain.page_token import KEY_BYTES, PageTokens
from flyteplane.admin.servicer.context import CallerOf
from flyteplane.admin.servicer.data_service import DataServicer
from flyteplane.admin.servicer.identity_service import IdentityServicer, PlatformIdentity
from flyteplane.admin.servicer.project_service import ProjectServicer
from flyteplane.admin.servicer.run_service import RunServicer, RunUseCases
from flyteplane.admin.servicer.task_service import TaskServicer
from flyteplane.admin.servicer.trigger_service import TriggerServicer
from flyteplane.admin.store.addresses import FolderAddresses, PlatformAddresses
from flyteplane.admin.store.keys import ensure_key
from flyteplane.admin.store.projects import SqlProjectStore, ensure_default_project
from flyteplane.admin.store.runs import SqlRunStore
from flyteplane.admin.store.tasks import SqlTaskStore
from flyteplane.foundation.clock import SystemClock, TimerClock
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.objects import FolderObjectStore, ObjectStore
from flyteplane.records import Database, migrate, open_database

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flyteplane.rpc.inprocess import InProcessServer

_MIGRATIONS = "flyteplane.admin.store.migrations"


class AdminService:
    """An open admin service. Made by `open_admin`."""

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        background: BackgroundTasks,
        run_servicer: RunServicer,
        task_servicer: TaskServicer,
        project_servicer: ProjectServicer,
        data_servicer: DataServicer,
        identity_servicer: IdentityServicer,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._background = background
        self._run_servicer = run_servicer
        self._task_servicer = task_servicer
        self._project_servicer = project_servicer
        self._data_servicer = data_servicer
        self._identity_servicer = identity_servicer

    def add_to(self, server: "grpc.aio.Server | InProcessServer") -> None:
        """Register every rpc service of admin with a server."""
        add_RunServiceServicer_to_server(self._run_servicer, server)
        add_TaskServiceServicer_to_server(self._task_servicer, server)
        add_ProjectServiceServicer_to_server(self._project_servicer, server)
        add_DataServiceServicer_to_server(self._data_servicer, server)
        add_IdentityServiceServicer_to_server(self._identity_servicer, server)
        add_TriggerServiceServicer_to_server(TriggerServicer(), server)

    async def close(self) -> None:
        """Stop the background work, commit what was taken, and close the database. Stop the servers first."""
        await self._background.stop()
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
    on_failure: Callable[[str, BaseException], None] | None = None,
) -> AdminService:
    """Open the service and begin to deliver what an earlier process left.

    Args:
        database_url: see `flyteplane.records.open_database`.
        objects: the object store of the platform.
        scheduler_channel: the way to the scheduler, which need not answer yet.
        platform: version and mode, for WhoAmI.
        caller_of: the subject of a call; by default every caller is the local user.
        scratch: folder for uploads that are under way; by default the system's.
        on_failure: told the name and the error of background work that died.

    Raises:
        FailedPrecondition: the database is from a newer build.
        Unavailable, DataLoss, PermissionDenied: the database cannot be opened or written.
    """
    clock, ids = clock or SystemClock(), ids or SystemIds()
    caller_of = caller_of or local_caller()
    database = await open_database(database_url)
    try:
        tokens = PageTokens(await _prepared(database, now_us=int(clock.now() * 1e6)))
        stub = SchedulerServiceStub(scheduler_channel)
        scheduler = RemoteScheduler(stub)
        runs, task_store = SqlRunStore(database), SqlTaskStore(database)
        project_store = SqlProjectStore(database)
        outbox = Outbox(
            runs=runs,
            scheduler=scheduler,
            clock=clock,
            ids=ids,
            encode_refusal=encode_refusal,
            on_failure=on_failure,
        )
        admission = Admission(tasks=task_store)
        create = CreateRun(runs=runs, outbox=outbox, clock=clock, ids=ids)
        reads = ReadRuns(runs=runs, tasks=task_store, scheduler=scheduler, outbox=outbox, tokens=tokens)
        use_cases = RunUseCases(
            admission=admission,
            create=create,
            reads=reads,
            abort=AbortRun(runs=runs, outbox=outbox, scheduler=scheduler),
            rerun=RerunRun(reads=reads, scheduler=scheduler, admission=admission, create=create),
        )
        tasks = Tasks(store=task_store, objects=objects, admission=admission, tokens=tokens, clock=clock)
        data = Objects(store=objects, addresses=_addresses(objects), projects=project_store, scratch=scratch)
        background = BackgroundTasks("admin", on_failure=on_failure)
        await outbox.start()
        mirror = PhaseMirror(runs=runs, scheduler=scheduler, clock=clock, ids=ids)
        background.start(mirror.run(), name="phases")
    except BaseException:
        await database.close()
        raise
    return AdminService(
        database=database,
        outbox=outbox,
        background=background,
        run_servicer=RunServicer(runs=use_cases, scheduler=stub, caller_of=caller_of),
        task_servicer=TaskServicer(tasks=tasks, caller_of=caller_of),
        project_servicer=ProjectServicer(projects=Projects(store=project_store, clock=clock)),
        data_servicer=DataServicer(objects=data),
        identity_servicer=IdentityServicer(platform=platform, caller_of=caller_of),
    )


def local_caller() -> CallerOf:
    """Every caller is the user who runs this process."""
    subject = f"local:{getpass.getuser()}"
    return lambda _: subject


def _addresses(objects: ObjectStore) -> ObjectAddresses:
    return FolderAddresses(objects) if isinstance(objects, FolderObjectStore) else PlatformAddresses()


async def _prepared(database: Database, *, now_us: int) -> bytes:
    """Migrate, make what always exists, and return the key of page tokens."""
    await migrate(database, package=_MIGRATIONS)

    def work(connection: "Connection") -> bytes:
        ensure_default_project(connection, now_us=now_us)
        return ensure_key(connection, "page-tokens", fresh=secrets.token_bytes(KEY_BYTES))

    return await database.write(work)
