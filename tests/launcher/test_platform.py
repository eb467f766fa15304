"""The platform as a whole: everything runs or nothing, and a service that dies takes the rest with it in order."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from flyteapi.admin.v1.identity_service_pb2 import WhoAmIRequest, WhoAmIResponse
from flyteapi.admin.v1.identity_service_pb2_grpc import (
    IdentityServiceServicer,
    IdentityServiceStub,
    add_IdentityServiceServicer_to_server,
)
from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import Hello, SessionRequest, WorkerReport
from flyteapi.scheduler.v1.worker_service_pb2_grpc import WorkerServiceStub
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, Unavailable
from flyteplane.launcher.endpoint import address_to_listen_on, own_socket
from flyteplane.launcher.platform import Platform
from flyteplane.launcher.services import ServiceEntry, Surroundings
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.rpc.client import open_channel


class Recorded(IdentityServiceServicer):
    """A service that notes what is done to it. It has one rpc only; generated code refuses the others."""

    def __init__(self, name: str, notes: list[str], given: Surroundings, *, stubborn: bool = False) -> None:
        self.name, self.notes, self.given, self.stubborn = name, notes, given, stubborn

    def add_to(self, server: Any) -> None:
        if self.name == "admin":
            add_IdentityServiceServicer_to_server(self, server)

    async def WhoAmI(self, request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        return WhoAmIResponse(subject=self.name)

    async def close(self) -> None:
        self.notes.append(f"close {self.name}")
        if self.stubborn:
            raise RuntimeError("will not close")


class Table:
    """Services that note what happens to them; `broken` fails to open, `stubborn` fails to close."""

    def __init__(self, *names: str, broken: str = "", stubborn: str = "") -> None:
        self.notes: list[str] = []
        self.opened: dict[str, Recorded] = {}
        self.entries: Sequence[ServiceEntry] = [self._entry(name, broken, stubborn) for name in names]

    def _entry(self, name: str, broken: str, stubborn: str) -> ServiceEntry:
        async def open_service(given: Surroundings) -> Recorded:
            if name == broken:
                raise Unavailable("its disk is full", reason="STORE_FULL")
            self.notes.append(f"open {name}")
            self.opened[name] = Recorded(name, self.notes, given, stubborn=name == stubborn)  # type: ignore[abstract]
            return self.opened[name]

        return ServiceEntry(name=name, open=open_service)


def settings(folder: Path, **fields: Any) -> PlatformSettings:
    return PlatformSettings(data=folder / "platform", **fields)


def announced(folder: Path) -> Any:
    return json.loads((folder / "platform/platform.json").read_text())


async def test_services_open_in_order_and_close_in_the_opposite_one(tmp_path: Path) -> None:
    table = Table("cache", "scheduler", "admin")
    platform = await Platform.open(settings(tmp_path), services=table.entries)
    await platform.close()
    await platform.close()
    assert table.notes == [
        *("open cache", "open scheduler", "open admin"),
        *("close admin", "close scheduler", "close cache"),
    ]


async def test_a_ready_platform_says_where_it_is_and_serves_on_one_endpoint(tmp_path: Path) -> None:
    platform = await Platform.open(settings(tmp_path), services=Table("admin").entries)
    state = announced(tmp_path)
    assert (state["pid"], state["endpoint"]) == (os.getpid(), platform.endpoint)
    assert platform.endpoint == f"unix:{tmp_path}/platform/platform.sock"
    async with open_channel(platform.endpoint) as channel:
        assert (await IdentityServiceStub(channel).WhoAmI(WhoAmIRequest())).subject == "admin"
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        listed = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
        names = [service.name async for answer in listed for service in answer.list_services_response.service]
    assert "flyteapi.admin.v1.IdentityService" in names
    await platform.close()
    assert not (tmp_path / "platform/platform.json").exists()
    assert not (tmp_path / "platform/platform.sock").exists()


async def test_services_reach_each_other_without_the_network(tmp_path: Path) -> None:
    table = Table("scheduler", "admin")
    platform = await Platform.open(settings(tmp_path), services=table.entries)
    stub = IdentityServiceStub(table.opened["scheduler"].given.channels["admin"])
    assert (await stub.WhoAmI(WhoAmIRequest())).subject == "admin"
    await platform.close()


async def test_a_service_that_cannot_open_closes_the_others_and_frees_the_folder(tmp_path: Path) -> None:
    table = Table("cache", "scheduler", "admin", broken="scheduler")
    with pytest.raises(Unavailable, match="disk is full"):
        await Platform.open(settings(tmp_path), services=table.entries)
    assert table.notes == ["open cache", "close cache"]
    assert not (tmp_path / "platform/platform.json").exists()
    again = await Platform.open(settings(tmp_path), services=Table("admin").entries)
    await again.close()


async def test_a_service_that_does_not_close_keeps_no_other_from_it(tmp_path: Path) -> None:
    table = Table("cache", "admin", stubborn="admin")
    platform = await Platform.open(settings(tmp_path), services=table.entries)
    await platform.close()
    assert table.notes[-2:] == ["close admin", "close cache"]


async def test_a_service_that_fails_is_told_to_the_owner(tmp_path: Path) -> None:
    table = Table("cache", "admin")
    platform = await Platform.open(settings(tmp_path), services=table.entries)
    waiting = asyncio.ensure_future(platform.wait_failed())
    table.opened["cache"].given.fail(Unavailable("the disk is gone"))
    table.opened["cache"].given.fail(RuntimeError("and more"))
    with pytest.raises(Unavailable, match="the disk is gone"):
        await waiting
    await platform.close()


async def test_two_platforms_never_share_a_folder(tmp_path: Path) -> None:
    platform = await Platform.open(settings(tmp_path), services=Table("admin").entries)
    with pytest.raises(FailedPrecondition) as refusal:
        await Platform.open(settings(tmp_path), services=Table("admin").entries)
    assert refusal.value.reason == "PLATFORM_RUNNING"
    assert f"process {os.getpid()}" in refusal.value.message
    assert platform.endpoint in refusal.value.message
    assert announced(tmp_path)["endpoint"] == platform.endpoint
    await platform.close()


async def test_a_port_is_chosen_and_a_used_one_is_refused(tmp_path: Path) -> None:
    platform = await Platform.open(settings(tmp_path, endpoint="127.0.0.1:0"), services=Table("admin").entries)
    host, _, port = platform.endpoint.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    with pytest.raises(FailedPrecondition) as refusal:
        await Platform.open(
            PlatformSettings(data=tmp_path / "other", endpoint=platform.endpoint), services=Table("admin").entries
        )
    assert refusal.value.reason == "ENDPOINT_IN_USE"
    await platform.close()


async def test_a_socket_on_which_somebody_answers_is_not_taken_over(tmp_path: Path) -> None:
    endpoint = f"unix:{tmp_path}/own.sock"
    platform = await Platform.open(settings(tmp_path, endpoint=endpoint), services=Table("admin").entries)
    with pytest.raises(FailedPrecondition) as refusal:
        await Platform.open(
            PlatformSettings(data=tmp_path / "other", endpoint=endpoint), services=Table("admin").entries
        )
    assert refusal.value.reason == "ENDPOINT_IN_USE"
    async with open_channel(platform.endpoint) as channel:
        assert (await IdentityServiceStub(channel).WhoAmI(WhoAmIRequest())).subject == "admin"
    await platform.close()


def test_a_folder_with_a_long_path_gets_its_socket_in_a_short_one(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    socket = own_socket(deep, temporary=tmp_path)
    assert socket.parent == tmp_path / f"flyteplane-{os.getuid()}"
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert socket != own_socket(tmp_path / ("e" * 100), temporary=tmp_path)
    assert own_socket(deep, temporary=tmp_path) == socket


def test_a_short_folder_that_others_may_enter_is_not_used(tmp_path: Path) -> None:
    (tmp_path / f"flyteplane-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(Unavailable, match="only you may enter"):
        own_socket(tmp_path / ("d" * 100), temporary=tmp_path)


@pytest.mark.parametrize("endpoint", ["0.0.0.0:80", "example.org:80", "127.0.0.1", "127.0.0.1:99999", "[::]:80"])
def test_an_address_that_others_could_reach_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        settings(tmp_path, endpoint=endpoint)
    assert refusal.value.field == "endpoint"


def test_an_endpoint_that_is_no_socket_or_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for endpoint in (f"unix:{tmp_path}/file", f"unix:/{'x' * 120}"):
        with pytest.raises(InvalidArgument):
            address_to_listen_on(endpoint, data=tmp_path)


async def test_workers_have_a_listener_of_their_own_where_nothing_else_is_served(tmp_path: Path) -> None:
    platform = await Platform.open(settings(tmp_path, worker_listen="127.0.0.1:0"))
    try:
        async with open_channel(platform.worker_address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await IdentityServiceStub(channel).WhoAmI(WhoAmIRequest())
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
            hello = SessionRequest(reports=[WorkerReport(hello=Hello(token="forged"))])
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await WorkerServiceStub(channel).Session(iter([hello])).read()
            assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await ReplicaServiceStub(channel).Replica(iter([ReplicaRequest(reports=hello.reports)])).read()
            assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
        async with open_channel(platform.endpoint) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await WorkerServiceStub(channel).Session(iter([hello])).read()
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await ReplicaServiceStub(channel).Replica(iter([ReplicaRequest(reports=hello.reports)])).read()
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await platform.close()
