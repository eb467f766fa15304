"""An admin service over a fake scheduler, both behind in-process channels, with a database in a file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from tests.admin.fake_scheduler import FakeScheduler

from flyteapi.admin.v1 import project_service_pb2, run_service_pb2
from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceStub
from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceStub
from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceStub
from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceStub
from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceStub
from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceStub
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from flyteapi.task.v1.interface_pb2 import Interface, Parameter
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValue, NamedValues, Payload, Value
from flyteplane.admin.application.settlement import COLLECT_S
from flyteplane.admin.main import AdminService, open_admin
from flyteplane.admin.notifications import NotificationOptions
from flyteplane.admin.servicer.identity_service import PlatformIdentity
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.ids import SeededIds
from flyteplane.objects import FolderObjectStore
from flyteplane.rpc.inprocess import InProcessServer

if TYPE_CHECKING:
    from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceAsyncStub
    from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceAsyncStub
    from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceAsyncStub
    from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceAsyncStub
    from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceAsyncStub


class Admin:
    """An admin service that a test can stop and open again. `clock` moves only when it is told to."""

    def __init__(
        self, folder: Path, *, scheduler: FakeScheduler | None = None, clock: ManualClock | None = None
    ) -> None:
        self.folder = folder
        self.clock = clock or ManualClock()
        self.scheduler = scheduler or FakeScheduler()
        self.failures: list[tuple[str, BaseException]] = []
        self.objects = FolderObjectStore(folder / "objects")
        self._upstream = InProcessServer()
        add_SchedulerServiceServicer_to_server(self.scheduler, self._upstream)
        self.notifications: NotificationOptions | None = None
        self._service: AdminService | None = None

    async def open(self, *, epoch: int | None = None) -> None:
        self._service = await open_admin(
            database_url=f"sqlite:///{self.folder / 'admin.db'}",
            objects=self.objects,
            scheduler_channel=self._upstream.channel(),
            platform=PlatformIdentity(version="1.2.3", mode="embedded"),
            clock=self.clock,
            ids=SeededIds(),
            caller_of=lambda _: "local:tester",
            scratch=self.folder,
            on_failure=lambda name, error: self.failures.append((name, error)),
            notifications=self.notifications,
            epoch=epoch,
        )
        server = InProcessServer()
        self._service.add_to(server)
        self._channel = server.channel()

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()
            self._service = None

    async def restart(self) -> None:
        """Open again on the same database, as after the death of the process."""
        await self.close()
        await self.open()

    @property
    def channel(self) -> grpc.aio.Channel:
        return self._channel

    @property
    def runs(self) -> RunServiceAsyncStub:
        return RunServiceStub(self._channel)

    @property
    def tasks(self) -> TaskServiceAsyncStub:
        return TaskServiceStub(self._channel)

    @property
    def projects(self) -> ProjectServiceAsyncStub:
        return ProjectServiceStub(self._channel)

    @property
    def data(self) -> DataServiceAsyncStub:
        return DataServiceStub(self._channel)

    @property
    def identity(self) -> IdentityServiceAsyncStub:
        return IdentityServiceStub(self._channel)

    @property
    def triggers(self) -> TriggerServiceAsyncStub:
        return TriggerServiceStub(self._channel)

    async def settle(self) -> None:
        """Let the removal of outbox entries fall due, as soon as a run was taken."""
        await self.until(lambda: (self.clock.next_timer_at() or 1e9) <= self.clock.monotonic() + COLLECT_S)
        self.clock.advance(COLLECT_S)
        await asyncio.sleep(0)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What another reader of the database file sees."""
        with closing(sqlite3.connect(self.folder / "admin.db")) as connection:
            return connection.execute(query).fetchall()

    def write(self, statement: str, values: tuple[Any, ...]) -> None:
        """Change the database behind the service's back, while it is closed."""
        with closing(sqlite3.connect(self.folder / "admin.db")) as connection, connection:
            connection.execute(statement, values)

    async def until(self, condition: Callable[[], bool], *, passing_s: float = 0.0) -> None:
        """Let the loop turn until something that the service does in the background has happened.

        Meanwhile `passing_s` pass again and again by the service's clock: nobody knows when it sets its next timer.
        """
        deadline = time.monotonic() + 30.0
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            self.clock.advance(passing_s)
            await asyncio.sleep(0.001)

    async def quiet(self) -> None:
        """Let the service do what is due. It has no more to do once many writes beside its own find nothing new."""
        nothing = project_service_pb2.UpdateProjectRequest(id="flytesnacks")
        seen, times = self._done(), 0
        while times < 10:
            await self.projects.UpdateProject(nothing)
            now = self._done()
            seen, times = now, times + 1 if now == seen else 0

    def _done(self) -> object:
        return self.scheduler.accept_calls, self.rows("select name from runs"), self.rows("select * from triggers")


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    opened = Admin(tmp_path)
    await opened.open()
    yield opened
    await opened.close()
    assert opened.failures == []


def run_id(name: str = "", *, project: str = "flytesnacks", domain: str = "development") -> RunId:
    return RunId(project=project, domain=domain, name=name)


def task_spec(name: str = "env.square", **settings: object) -> TaskSpec:
    environment, _, function = name.partition(".")
    return TaskSpec(
        name=name,
        environment=environment,
        short_name=function,
        interface=Interface(
            inputs=[
                Parameter(name="x", json_schema='{"type": "integer"}', type_name="int", required=True),
                Parameter(name="note", json_schema='{"type": "string"}', type_name="str"),
            ]
        ),
        entrypoint=Entrypoint(module="program", attribute=function),
        max_inline_io_bytes=100 * 1024 * 1024,
        **settings,  # type: ignore[arg-type]
    )


def inputs(**values: int | str) -> Payload:
    entries = [
        NamedValue(name=name, value=Value(int=value) if isinstance(value, int) else Value(string=value))
        for name, value in values.items()
    ]
    return Payload(inline=NamedValues(values=entries).SerializeToString())


def create_request(
    name: str = "", *, request_id: str = "", x: int = 3, spec: TaskSpec | None = None, **fields: object
) -> run_service_pb2.CreateRunRequest:
    return run_service_pb2.CreateRunRequest(
        request_id=request_id,
        run=run_id(name),
        spec=spec or task_spec(),
        inputs=inputs(x=x),
        **fields,  # type: ignore[arg-type]
    )
