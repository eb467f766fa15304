"""A gate before what only a leader serves: closed, open, draining; alone and before another way to serve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from flyteplane.rpc.client import open_channel
from flyteplane.rpc.errors import errors_from_call
from flyteplane.rpc.gate import LEADER_CHANGED, NOT_LEADER, Gate, OpenGate
from flyteplane.rpc.server import RpcServer

SERVICE = "test.Service"


class Servicer:
    """Answers once when it is allowed to, and with a stream that never ends."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.allowed = asyncio.Event()

    async def once(self, request: bytes, _: Any) -> bytes:
        self.asked.set()
        await self.allowed.wait()
        return request

    async def stream(self, request: bytes, _: Any) -> AsyncIterator[bytes]:
        yield request
        await asyncio.Event().wait()

    def add_to(self, server: Any) -> None:
        handlers: dict[str, Any] = {
            "Once": grpc.unary_unary_rpc_method_handler(self.once),
            "Stream": grpc.unary_stream_rpc_method_handler(self.stream),
        }
        server.add_registered_method_handlers(SERVICE, handlers)


class World:
    """A gate on a listener of its own, and before another way to serve on a second one."""

    def __init__(self) -> None:
        self.gate, self.servicer, self.leads = Gate([SERVICE]), Servicer(), True
        self.servers = RpcServer("127.0.0.1:0"), RpcServer("127.0.0.1:0")
        elsewhere: dict[str, Any] = {"Once": grpc.unary_unary_rpc_method_handler(self._elsewhere)}
        self.servers[0].grpc_server.add_generic_rpc_handlers((self.gate,))
        self.servers[1].grpc_server.add_generic_rpc_handlers(
            (OpenGate(self.gate), grpc.method_handlers_generic_handler(SERVICE, elsewhere))
        )
        self.channels: list[grpc.aio.Channel] = []

    async def _elsewhere(self, _: bytes, __: Any) -> bytes:
        return b"elsewhere"

    async def start(self) -> None:
        self.channels = [open_channel(await server.start()) for server in self.servers]

    def open(self) -> None:
        self.gate.open(self.servicer.add_to, leads=lambda: self.leads)

    def once(self, server: int = 0) -> Any:
        method: Any = self.channels[server].unary_unary(f"/{SERVICE}/Once")
        return method(b"x", timeout=10)

    def stream(self) -> Any:
        method: Any = self.channels[0].unary_stream(f"/{SERVICE}/Stream")
        return method(b"x", timeout=10)

    async def stop(self) -> None:
        for channel, server in zip(self.channels, self.servers, strict=True):
            await channel.close()
            await server.stop(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start()
    yield made
    await made.stop()


async def reason_of(call: Any) -> str:
    """Why a call failed."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    return errors_from_call(failure.value).reason


async def test_closed_it_refuses_or_leaves_the_call_to_the_other_way(world: World) -> None:
    assert await reason_of(world.once()) == NOT_LEADER
    assert await world.once(1) == b"elsewhere"
    world.servicer.allowed.set()
    world.open()
    assert await world.once() == b"x"
    assert await world.once(1) == b"x"
    world.gate.shut()
    assert await world.once(1) == b"elsewhere"


async def test_draining_answers_what_was_asked_and_ends_streams(world: World) -> None:
    world.open()
    asked, stream = asyncio.ensure_future(world.once()), world.stream()
    assert await stream.read() == b"x"
    await world.servicer.asked.wait()
    draining = asyncio.create_task(world.gate.drain(10.0))
    await asyncio.sleep(0)
    assert await reason_of(world.once()) == NOT_LEADER
    world.servicer.allowed.set()
    assert await asked == b"x"
    await draining
    assert await reason_of(stream.read()) == LEADER_CHANGED


async def test_draining_has_an_end_and_a_lost_lead_answers_nothing(world: World) -> None:
    world.open()
    asked = asyncio.ensure_future(world.once())
    await world.servicer.asked.wait()
    await world.gate.drain(0.01)
    assert await reason_of(asked) == LEADER_CHANGED
    world.open()
    world.servicer.asked.clear()
    asked = asyncio.ensure_future(world.once())
    await world.servicer.asked.wait()
    world.leads = False
    world.servicer.allowed.set()
    assert await reason_of(asked) == LEADER_CHANGED
