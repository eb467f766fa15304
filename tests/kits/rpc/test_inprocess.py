"""What the in-process channel adds to the contract that it shares with the network."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from flyteplane.foundation.errors import Unimplemented
from flyteplane.rpc.inprocess import InProcessServer

SERVING = health_pb2.HealthCheckResponse.SERVING


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers, and notes what its tasks saw."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.context_variable: str | None = None
        self.ended = asyncio.Event()

    async def Check(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        self.context_variable = caller.get(None)
        return health_pb2.HealthCheckResponse(status=SERVING)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            yield health_pb2.HealthCheckResponse(status=SERVING)
            await asyncio.Event().wait()
        finally:
            self.ended.set()


caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller")


@pytest.fixture
async def health() -> Health:
    return Health()


@pytest.fixture
async def server(health: Health) -> AsyncIterator[InProcessServer]:
    server = InProcessServer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    yield server
    await server.stop(0)


@pytest.fixture
def stub(server: InProcessServer) -> Any:
    return health_pb2_grpc.HealthStub(server.channel())


async def test_the_servicer_is_given_the_very_message(stub: Any, health: Health) -> None:
    request = health_pb2.HealthCheckRequest(service="x")
    await stub.Check(request)
    assert health.requests[0] is request


async def test_the_servicer_does_not_see_the_callers_context_variables(stub: Any, health: Health) -> None:
    caller.set("admin")
    await stub.Check(health_pb2.HealthCheckRequest())
    assert health.context_variable is None


async def test_leaving_a_stream_cancels_the_servicer(stub: Any, health: Health) -> None:
    async def read_one() -> None:
        async for _ in stub.Watch(health_pb2.HealthCheckRequest()):
            return

    await read_one()
    gc.collect()
    await asyncio.wait_for(health.ended.wait(), 30)


async def test_the_channel_adds_its_metadata_to_every_call(server: InProcessServer) -> None:
    seen: list[Any] = []

    class Noting(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            seen.append(handler_call_details.invocation_metadata)
            return await continuation(handler_call_details)

    server = InProcessServer(interceptors=[Noting()])
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    stub: Any = health_pb2_grpc.HealthStub(server.channel(metadata=[("authorization", "Bearer service")]))
    await stub.Check(health_pb2.HealthCheckRequest(), metadata=(("trace", "1"),))
    assert seen == [(("authorization", "Bearer service"), ("trace", "1"))]


async def test_a_call_that_is_cancelled_before_the_servicer_runs_leaves_nothing(
    stub: Any, server: InProcessServer, health: Health
) -> None:
    call = stub.Check(health_pb2.HealthCheckRequest())
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(server.stop(None), 30)
    assert health.requests == []


async def test_a_method_that_nobody_registered_is_unimplemented() -> None:
    stub: Any = health_pb2_grpc.HealthStub(InProcessServer().channel())
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Check(health_pb2.HealthCheckRequest())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_it_knows_its_methods(server: InProcessServer) -> None:
    assert "/grpc.health.v1.Health/Check" in server.methods


async def test_it_listens_nowhere(server: InProcessServer) -> None:
    with pytest.raises(Unimplemented):
        server.add_insecure_port("localhost:0")


async def test_the_channel_is_ready_until_the_server_stops(server: InProcessServer) -> None:
    async with server.channel() as channel:
        assert channel.get_state() is grpc.ChannelConnectivity.READY
        waiting = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
        await server.stop(0)
        await asyncio.wait_for(waiting, 30)
        assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_ended_calls_leave_no_tasks(stub: Any) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(20):
        await stub.Check(health_pb2.HealthCheckRequest())
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    await watch.read()
    watch.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
