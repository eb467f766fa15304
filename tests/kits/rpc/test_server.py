"""Setting up a server: addresses, health, reflection, message sizes and stopping."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from flyteplane.foundation.errors import InvalidArgument, ResourceExhausted, Unavailable
from flyteplane.rpc.client import open_channel, translated_errors
from flyteplane.rpc.server import MOST_SOCKET_PATH_BYTES, RpcServer

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


# The published types of these stubs know neither their methods nor asyncio channels.
health_stub: Any = health_pb2_grpc.HealthStub
reflection_stub: Any = reflection_pb2_grpc.ServerReflectionStub


@pytest.fixture
async def server() -> AsyncIterator[RpcServer]:
    server = RpcServer("127.0.0.1:0")
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def health(server: RpcServer) -> AsyncIterator[Any]:
    async with open_channel(server.address) as channel:
        yield health_stub(channel)


async def test_port_zero_becomes_a_real_port(server: RpcServer) -> None:
    host, _, port = server.address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


async def test_it_says_that_it_is_healthy_and_takes_corrections(server: RpcServer, health: Any) -> None:
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
    await server.set_health("flyteapi.cache.v1.CacheService", serving=False)
    named = health_pb2.HealthCheckRequest(service="flyteapi.cache.v1.CacheService")
    assert (await health.Check(named)).status == NOT_SERVING


async def test_reflection_lists_the_services(server: RpcServer) -> None:
    async with open_channel(server.address) as channel:
        stub = reflection_stub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        listed = [service.name async for answer in call for service in answer.list_services_response.service]
    assert "grpc.health.v1.Health" in listed


async def test_a_message_above_the_limit_is_refused() -> None:
    server = RpcServer("127.0.0.1:0", most_message_bytes=1000)
    async with open_channel(await server.start()) as channel:
        stub = health_stub(channel)
        with pytest.raises(ResourceExhausted), translated_errors():
            await stub.Check(health_pb2.HealthCheckRequest(service="x" * 2000))
    await server.stop(0)


async def test_a_unix_socket_is_made_and_removed(tmp_path: Path) -> None:
    server = RpcServer(f"unix:{tmp_path}/folder/s.sock")
    address = await server.start()
    assert (tmp_path / "folder" / "s.sock").is_socket()
    async with open_channel(address) as channel:
        assert await health_stub(channel).Check(health_pb2.HealthCheckRequest())
    await server.stop(0)
    await server.stop(0)
    assert not (tmp_path / "folder" / "s.sock").exists()


async def test_a_socket_left_by_a_killed_server_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    server = RpcServer(f"unix:{path}")
    async with open_channel(await server.start()) as channel:
        assert await health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    await server.stop(0)


@pytest.mark.parametrize("address", ["nowhere", "localhost:", "localhost:http"])
async def test_an_address_that_makes_no_sense_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await RpcServer(address).start()
    assert raised.value.field == "address"


async def test_a_socket_path_that_is_too_long_is_refused_with_the_limit() -> None:
    with pytest.raises(InvalidArgument) as raised:
        await RpcServer(f"unix:/tmp/{'x' * MOST_SOCKET_PATH_BYTES}").start()
    assert str(MOST_SOCKET_PATH_BYTES) in raised.value.limit


async def test_a_port_that_is_taken_is_unavailable(server: RpcServer) -> None:
    with pytest.raises(Unavailable) as raised:
        await RpcServer(server.address).start()
    assert server.address in raised.value.message


async def test_a_channel_to_nobody_says_unavailable(tmp_path: Path) -> None:
    async with open_channel(f"unix:{tmp_path}/none.sock") as channel:
        stub = health_stub(channel)
        with pytest.raises(Unavailable) as raised, translated_errors():
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert isinstance(raised.value.__cause__, grpc.aio.AioRpcError)
