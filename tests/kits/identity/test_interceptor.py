"""The guard of the listener for clients, before calls that are passed on to another process as they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from flyteapi.admin.v1 import data_service_pb2, run_service_pb2
from flyteapi.admin.v1.data_service_pb2 import CreateUploadUrlRequest, UploadObjectRequest, UploadObjectResponse
from flyteapi.admin.v1.data_service_pb2_grpc import (
    DataServiceServicer,
    DataServiceStub,
    add_DataServiceServicer_to_server,
)
from flyteapi.admin.v1.run_service_pb2 import (
    CreateRunRequest,
    CreateRunResponse,
    Run,
    WatchRunRequest,
    WatchRunResponse,
)
from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceServicer, RunServiceStub, add_RunServiceServicer_to_server
from flyteapi.common.v1.identity_pb2 import RunId
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.callers import Caller, Grant, Role, Scope, current_caller
from flyteplane.identity.interceptor import Edge, IdentityInterceptor
from flyteplane.identity.passing import PassedCallers, caller_metadata
from flyteplane.identity.revocations import Revocations
from flyteplane.launcher.rpc_services import request_readers
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.errors import errors_from_call
from flyteplane.rpc.forwarding import add_forwarding
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.internal import internal_server
from flyteplane.rpc.server import RpcServer

RUNNER_OF_A = (("authorization", "Bearer runner-of-a"),)


class Known:
    """Knows one credential, until it is taken away; also takes the log, and knows where nothing is."""

    def __init__(self) -> None:
        self.revocations = Revocations()
        self.gone = False
        self.log: list[AuditRecord] = []

    async def authenticate(self, credential: str) -> Caller:
        if self.gone or credential != "runner-of-a":
            raise Unauthenticated("it is not known", reason="KEY_UNKNOWN")
        return Caller(subject="key:runner", grants=(Grant(Role.RUNNER, Scope("a")),))

    async def changed(self) -> None:
        await self.revocations.wait()

    def take_away(self) -> None:
        self.gone = True
        self.revocations.note()

    def record(self, entry: AuditRecord) -> None:
        self.log.append(entry)

    async def scope_of_pool(self, name: str) -> Scope | None:
        return None

    def key_of_object(self, uri: str) -> str | None:
        return None


class Served(RunServiceServicer, DataServiceServicer):
    """Says who it does things for. `closed` is set when a watch has ended."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def CreateRun(self, request: CreateRunRequest, context: Any) -> CreateRunResponse:
        caller = current_caller()
        return CreateRunResponse(run=Run(created_by=caller.subject if caller else ""))

    async def WatchRun(self, request: WatchRunRequest, context: Any) -> AsyncIterator[WatchRunResponse]:
        try:
            yield WatchRunResponse(next_sequence=1)
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def UploadObject(self, request: AsyncIterator[UploadObjectRequest], context: Any) -> UploadObjectResponse:
        return UploadObjectResponse(uri=b"".join([part.data async for part in request]).decode())


class Edged:
    """Stubs over the guarded listener."""

    def __init__(self, channel: grpc.aio.Channel, known: Known, served: Served) -> None:
        self.channel, self.known, self.served = channel, known, served
        self.runs, self.data = RunServiceStub(channel), DataServiceStub(channel)


@pytest.fixture
async def edged(tmp_path: Path) -> AsyncIterator[Edged]:
    known, served = Known(), Served()  # type: ignore[abstract]  # only what is called is there
    inside = internal_server(f"unix:{tmp_path}/inside", callers=(PassedCallers(),))
    add_RunServiceServicer_to_server(served, inside.grpc_server)
    add_DataServiceServicer_to_server(served, inside.grpc_server)
    await inside.start()
    edge = Edge(authenticator=known, places=known, audit=known, clock=SystemClock(), readers=request_readers())
    guard = Interceptors(identity=(IdentityInterceptor(edge),))
    public = RpcServer(f"unix:{tmp_path}/edge", interceptors=guard, reflection=False)
    async with open_channel(inside.address) as channel:
        for file in (run_service_pb2, data_service_pb2):
            for service in file.DESCRIPTOR.services_by_name.values():
                add_forwarding(public.grpc_server, service, channel=channel, added=caller_metadata)
        await public.start()
        async with open_channel(public.address) as outside:
            yield Edged(outside, known, served)
    await public.stop(0)
    await inside.stop(0)


def run(project: str) -> RunId:
    return RunId(project=project, domain="development", name="r1")


async def reason(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return errors_from_call(caught.value).reason


async def test_a_request_that_is_passed_on_is_judged_by_what_stands_in_it(edged: Edged) -> None:
    done = await edged.runs.CreateRun(CreateRunRequest(run=run("a")), metadata=RUNNER_OF_A)
    assert done.run.created_by == "key:runner"
    assert await reason(edged.runs.CreateRun(CreateRunRequest(run=run("b")), metadata=RUNNER_OF_A)) == "ROLE_MISSING"
    assert await reason(edged.runs.CreateRun(CreateRunRequest(run=run("a")))) == "CREDENTIAL_MISSING"
    assert [(entry.subject, entry.status, entry.scope.project) for entry in edged.known.log] == [
        ("key:runner", "OK", "a"),
        ("key:runner", "PERMISSION_DENIED", "b"),
        ("nobody", "UNAUTHENTICATED", ""),
    ]


async def test_a_request_that_cannot_be_read_goes_no_further(edged: Edged) -> None:
    method: Any = edged.channel.unary_unary("/flyteapi.admin.v1.RunService/CreateRun")
    assert await reason(method(b"\xff\xff", metadata=RUNNER_OF_A)) == "REQUEST_UNREADABLE"


async def test_an_upload_is_judged_by_its_first_message_and_arrives_whole(edged: Edged) -> None:
    def parts(project: str) -> list[UploadObjectRequest]:
        place = CreateUploadUrlRequest(project=project, domain="development")
        return [UploadObjectRequest(object=place, data=b"1"), UploadObjectRequest(data=b"2")]

    done = await edged.data.UploadObject(iter(parts("a")), metadata=RUNNER_OF_A)
    assert done.uri == "12"
    assert await reason(edged.data.UploadObject(iter(parts("b")), metadata=RUNNER_OF_A)) == "ROLE_MISSING"
    assert await reason(edged.data.UploadObject(iter(()), metadata=RUNNER_OF_A)) == "EMPTY_STREAM"


async def test_a_watch_ends_with_the_credential_that_opened_it(edged: Edged) -> None:
    watch: Any = edged.runs.WatchRun(WatchRunRequest(run=run("a")), metadata=RUNNER_OF_A)
    assert (await watch.read()).next_sequence == 1
    edged.known.take_away()
    async with asyncio.timeout(30):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await edged.served.closed.wait()


async def test_a_watch_that_its_client_gives_up_is_closed_behind_the_edge(edged: Edged) -> None:
    watch = edged.runs.WatchRun(WatchRunRequest(run=run("a")), metadata=RUNNER_OF_A)
    await watch.read()
    watch.cancel()
    async with asyncio.timeout(30):
        await edged.served.closed.wait()


async def test_what_one_may_not_see_is_not_watched(edged: Edged) -> None:
    watch = edged.runs.WatchRun(WatchRunRequest(run=run("b")), metadata=RUNNER_OF_A)
    assert await reason(watch.read()) == "RUN_NOT_FOUND"
