"""A channel that follows the leader: who waits, who is told, and what is never done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthServicer, HealthStub, add_HealthServicer_to_server

from flyteplane.foundation.errors import FailedPrecondition, PlatformError, Unavailable
from flyteplane.rpc.errors import errors_from_call
from flyteplane.rpc.gate import Gate
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.leader_channel import LeaderChannel
from flyteplane.rpc.whereabouts import Whereabouts

SERVICE = "grpc.health.v1.Health"
ASKED = health_pb2.HealthCheckRequest()
SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


class Node(HealthServicer):  # type: ignore[misc]
    """A process that may lead. Its service is the health service, as a stand-in that needs no proto of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.gate = Gate([SERVICE])
        self.calls = 0
        self.leads = True
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.address = f"unix:{folder}/{name}.sock"
        # Not an RpcServer, which has the real health service.
        self.server = grpc.aio.server(interceptors=Interceptors().in_order())
        self.server.add_generic_rpc_handlers((self.gate,))
        self.server.add_insecure_port(self.address)

    def lead(self) -> None:
        self.gate.open(lambda term: add_HealthServicer_to_server(self, term), leads=lambda: self.leads)

    async def begin(self, channel: grpc.aio.Channel) -> tuple[Any, Any]:
        """A call of each form, under way."""
        calls = []
        for method in (HealthStub(channel).Check, HealthStub(channel).Watch):
            self.arrived.clear()
            calls.append(method(ASKED))
            await self.arrived.wait()
        return calls[0], calls[1]

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        self.calls += 1
        self.arrived.set()
        await self.go_on.wait()
        if request.service == "refused":
            raise FailedPrecondition("not now", reason="NOT_NOW")
        return SERVING

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        self.arrived.set()
        while True:
            await self.go_on.wait()
            yield SERVING
            self.go_on.clear()


OpenNode = Callable[[str], Awaitable[Node]]


@pytest.fixture
async def open_node(tmp_path: Path) -> AsyncIterator[OpenNode]:
    """Starts processes that stand by."""
    nodes: list[Node] = []

    async def start(name: str) -> Node:
        node = Node(tmp_path, name)
        await node.server.start()
        nodes.append(node)
        return node

    yield start
    for node in nodes:
        node.gate.shut()
        await node.server.stop(0)


@pytest.fixture
def whereabouts() -> Whereabouts:
    return Whereabouts("scheduler")


@pytest.fixture
async def channel(whereabouts: Whereabouts) -> AsyncIterator[LeaderChannel]:
    opened = LeaderChannel(whereabouts, patience_s=5.0)
    yield opened
    await opened.close()


async def reason_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    error = errors_from_call(raised.value)
    assert isinstance(error, Unavailable)
    return error.reason


async def test_a_call_waits_for_a_leader_and_goes_to_it(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel
) -> None:
    node = await open_node("a")
    call = asyncio.ensure_future(HealthStub(channel).Check(ASKED))
    await asyncio.sleep(0.05)
    assert not call.done()
    node.lead()
    whereabouts.tell(node.address)
    assert await call == SERVING


async def test_a_call_without_a_leader_fails_a_little_before_its_deadline(channel: LeaderChannel) -> None:
    began = asyncio.get_running_loop().time()
    assert await reason_of(HealthStub(channel).Check(ASKED, timeout=0.5)) == "NO_LEADER"
    # By its own word, and not because the deadline has passed: that would be another reason.
    assert asyncio.get_running_loop().time() - began > 0.3


async def test_a_call_without_a_deadline_waits_as_long_as_the_channel_says(whereabouts: Whereabouts) -> None:
    async with LeaderChannel(whereabouts, patience_s=0.1) as channel:
        assert await reason_of(HealthStub(channel).Check(ASKED)) == "NO_LEADER"
        with pytest.raises(grpc.aio.AioRpcError, match="cannot be reached"):
            await HealthStub(channel).Watch(ASKED).read()


async def test_a_leader_that_is_dead_is_as_good_as_none(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel, tmp_path: Path
) -> None:
    whereabouts.tell(f"unix:{tmp_path}/nobody.sock")
    call = asyncio.ensure_future(HealthStub(channel).Check(ASKED))
    await asyncio.sleep(0.1)
    assert not call.done()
    node = await open_node("b")
    node.lead()
    whereabouts.tell(node.address)
    assert await call == SERVING


async def test_a_standby_that_refused_is_not_asked_again_but_the_next_leader_is(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel
) -> None:
    standby, leader = await open_node("a"), await open_node("b")
    whereabouts.tell(standby.address)
    call = asyncio.ensure_future(HealthStub(channel).Check(ASKED))
    await asyncio.sleep(0.2)
    assert not call.done()
    leader.lead()
    whereabouts.tell(leader.address)
    assert await call == SERVING
    assert (standby.calls, leader.calls) == (0, 1)


async def test_a_call_under_way_ends_with_its_leader_and_is_not_sent_again(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel
) -> None:
    old, new = await open_node("a"), await open_node("b")
    for node in (old, new):
        node.lead()
    old.go_on.clear()
    whereabouts.tell(old.address)
    call = asyncio.ensure_future(HealthStub(channel).Check(ASKED))
    await old.arrived.wait()
    whereabouts.tell(new.address)
    assert await reason_of(call) == "LEADER_CHANGED"
    assert (old.calls, new.calls) == (1, 0)
    assert await HealthStub(channel).Check(ASKED) == SERVING


async def test_a_stream_ends_when_a_silent_leader_is_replaced(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel
) -> None:
    node = await open_node("a")
    node.lead()
    whereabouts.tell(node.address)
    stream = HealthStub(channel).Watch(ASKED)
    assert await stream.read() == SERVING
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(0)
    whereabouts.tell("")
    assert await reason_of(reading) == "LEADER_CHANGED"


async def test_other_errors_pass_as_they_are(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel
) -> None:
    node = await open_node("a")
    node.lead()
    whereabouts.tell(node.address)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="refused"))
    error: PlatformError = errors_from_call(raised.value)
    assert (type(error), error.reason) == (FailedPrecondition, "NOT_NOW")


async def test_a_call_that_is_given_up_while_it_waits_never_starts(
    open_node: OpenNode, whereabouts: Whereabouts, channel: LeaderChannel
) -> None:
    call = HealthStub(channel).Check(ASKED)
    stream = HealthStub(channel).Watch(ASKED)
    await asyncio.sleep(0)
    assert call.cancel()
    assert stream.cancel()
    node = await open_node("a")
    node.lead()
    whereabouts.tell(node.address)
    assert await HealthStub(channel).Check(ASKED) == SERVING
    assert node.calls == 1
    assert call.cancelled()


async def test_an_answer_that_comes_after_the_lease_does_not_leave(open_node: OpenNode) -> None:
    node = await open_node("a")
    node.lead()
    node.go_on.clear()
    async with grpc.aio.insecure_channel(node.address) as direct:
        once, stream = await node.begin(direct)
        node.leads = False
        node.go_on.set()
        assert await reason_of(once) == "LEADER_CHANGED"
        assert await reason_of(stream.read()) == "LEADER_CHANGED"


async def test_a_shut_gate_ends_what_runs_and_refuses_what_comes(open_node: OpenNode) -> None:
    node = await open_node("a")
    node.lead()
    node.go_on.clear()
    async with grpc.aio.insecure_channel(node.address) as direct:
        once, stream = await node.begin(direct)
        node.gate.shut()
        assert await reason_of(once) == "LEADER_CHANGED"
        assert await reason_of(stream.read()) == "LEADER_CHANGED"
        assert await reason_of(HealthStub(direct).Check(ASKED)) == "NOT_LEADER"
        node.go_on.set()
        node.lead()
        assert await HealthStub(direct).Check(ASKED) == SERVING
