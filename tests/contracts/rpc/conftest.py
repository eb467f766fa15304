"""The echo service over every way there is to call a service; every test of this folder runs over each of them.

network     a real connection
inprocess   without one
gated       behind the gate of a leader that leads
followed    through a channel that follows the leader
forwarded   through a server that passes calls on, and from there through a channel that follows the leader
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from flyteplane.foundation.ids import SeededIds
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.forwarding import add_forwarding
from flyteplane.rpc.gate import Gate
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.leader_channel import LeaderChannel
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.whereabouts import Whereabouts


@dataclass(frozen=True)
class Stubs:
    """The generated modules of echo.proto."""

    messages: Any
    services: Any

    def note(self, text: str = "", number: int = 0) -> Any:
        return self.messages.Note(text=text, number=number)


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Stubs:
    """Generate the echo stubs once."""
    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("echo")
    source = Path(__file__).parent
    arguments = ["protoc", f"-I{source}", f"--python_out={folder}", f"--grpc_python_out={folder}", "echo.proto"]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, str(folder))
    try:
        return Stubs(importlib.import_module("echo_pb2"), importlib.import_module("echo_pb2_grpc"))
    finally:
        sys.path.remove(str(folder))


Method = Callable[[Any, Any], Any]


@dataclass
class Script:
    """What the servicer does in one test, and a place to note what it saw."""

    once: Method | None = None
    repeat: Method | None = None
    collect: Method | None = None
    converse: Method | None = None
    seen: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Echo:
    """A running echo service and a way to call it."""

    kind: str
    stub: Any
    stubs: Stubs
    script: Script
    stop: Callable[[float], Coroutine[Any, Any, None]]

    def note(self, text: str = "", number: int = 0) -> Any:
        return self.stubs.note(text, number)


def make_servicer(stubs: Stubs, script: Script) -> Any:
    """A servicer whose methods are those of the script."""

    class EchoServicer(stubs.services.EchoServiceServicer):  # type: ignore[misc,name-defined]
        async def Once(self, request: Any, context: Any) -> Any:
            assert script.once is not None
            return await script.once(request, context)

        async def Repeat(self, request: Any, context: Any) -> AsyncIterator[Any]:
            assert script.repeat is not None
            async for response in script.repeat(request, context):
                yield response

        async def Collect(self, request_iterator: Any, context: Any) -> Any:
            assert script.collect is not None
            return await script.collect(request_iterator, context)

        async def Converse(self, request_iterator: Any, context: Any) -> None:
            assert script.converse is not None
            answer = script.converse(request_iterator, context)
            if hasattr(answer, "__aiter__"):
                async for response in answer:
                    await context.write(response)
            else:
                await answer

    return EchoServicer()


OpenEcho = Callable[..., Awaitable[Echo]]


@pytest.fixture(params=["network", "inprocess", "gated", "followed", "forwarded"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_echo(transport: str, stubs: Stubs, tmp_path: Path) -> AsyncIterator[OpenEcho]:
    """Start an echo service with the given interceptors over the transport under test."""
    closers: list[Callable[[], Awaitable[Any]]] = []

    async def over_network(script: Script, interceptors: Interceptors) -> tuple[grpc.aio.Channel, Any]:
        server = RpcServer(f"unix:{tmp_path}/echo.sock", interceptors=interceptors, ids=SeededIds(1))
        stubs.services.add_EchoServiceServicer_to_server(make_servicer(stubs, script), server.grpc_server)
        channel = open_channel(await server.start())
        closers.extend([lambda: server.stop(0), lambda: channel.close()])
        return channel, server.stop

    async def in_process(script: Script, interceptors: Interceptors) -> tuple[grpc.aio.Channel, Any]:
        server = InProcessServer(interceptors=interceptors.without_errors(), ids=SeededIds(1))
        stubs.services.add_EchoServiceServicer_to_server(make_servicer(stubs, script), server)
        closers.append(lambda: server.stop(0))
        return server.channel(), server.stop

    async def gated(script: Script, interceptors: Interceptors) -> tuple[grpc.aio.Channel, Any]:
        server = RpcServer(f"unix:{tmp_path}/echo.sock", interceptors=interceptors, ids=SeededIds(1))
        gate = Gate([descriptor.full_name])
        gate.open(
            lambda term: stubs.services.add_EchoServiceServicer_to_server(make_servicer(stubs, script), term),
            leads=lambda: True,
        )
        server.grpc_server.add_generic_rpc_handlers((gate,))
        channel = open_channel(await server.start())
        closers.extend([lambda: server.stop(0), lambda: channel.close()])
        return channel, server.stop

    async def followed(script: Script, interceptors: Interceptors) -> tuple[grpc.aio.Channel, Any]:
        _, stop = await over_network(script, interceptors)
        channel = LeaderChannel(Whereabouts("echo", f"unix:{tmp_path}/echo.sock"))
        closers.append(lambda: channel.close())
        return channel, stop

    async def forwarded(script: Script, interceptors: Interceptors) -> tuple[grpc.aio.Channel, Any]:
        behind, stop = await followed(script, interceptors)
        server = RpcServer(f"unix:{tmp_path}/edge.sock")
        add_forwarding(server.grpc_server, descriptor, channel=behind)
        channel = open_channel(await server.start())
        closers.extend([lambda: server.stop(0), lambda: channel.close()])
        return channel, stop

    descriptor = stubs.messages.DESCRIPTOR.services_by_name["EchoService"]
    ways = {
        "network": over_network,
        "inprocess": in_process,
        "gated": gated,
        "followed": followed,
        "forwarded": forwarded,
    }

    async def start(interceptors: Interceptors | None = None) -> Echo:
        script = Script()
        make = ways[transport]
        channel, stop = await make(script, interceptors or Interceptors())
        return Echo(transport, stubs.services.EchoServiceStub(channel), stubs, script, stop)

    yield start
    for close in reversed(closers):
        await close()


@pytest.fixture
async def echo(open_echo: OpenEcho) -> Echo:
    return await open_echo()
