"""Replicas that open a gRPC stream themselves, as pods do: tokens, breaks, and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.reuse_pool.bench import Bench, BenchClock, declaration, ended

from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceStub
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, Hello, WorkerOrder, WorkerReport
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import WorkerExit, WorkerSink, WorkerSpec
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.foundation.ids import SeededIds
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.tokens import Claims, TokenKind


class PodCluster(MemoryCluster):
    """Starts nothing that speaks: its sinks hear of exits only."""

    def __init__(self) -> None:
        super().__init__()
        self.sinks: dict[str, WorkerSink] = {}

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        self.started.append(spec)
        self.sinks[spec.name] = sink

    async def stop(self, name: str, *, grace_s: float) -> None:
        if (sink := self.sinks.pop(name, None)) is not None:
            sink.exited(WorkerExit(name=name, signal=15))


class Tokens:
    """Tokens that anybody can read."""

    ttl_s = 1e9

    def attempt_token(self, assign: Assign, *, lease: int) -> str:
        return f"token of lease {lease}"

    def hello_token(self, declaration: DeclarePool, *, replica: str) -> str:
        return f"token of {replica}"

    def claims(self, token: str) -> Claims:
        if not token.startswith("token of "):
            raise Unauthenticated("the replica token is not ours", reason="REPLICA_TOKEN")
        return Claims(
            kind=TokenKind.REPLICA,
            project="p",
            domain="d",
            secrets=frozenset(),
            expires_at=2e9,
            pool="a" * 64,
            replica=token.removeprefix("token of "),
        )


class Pod:
    """A replica's end of its stream."""

    def __init__(self, stub: Any) -> None:
        self.call = stub.Replica()
        self.orders: list[WorkerOrder] = []

    async def hello(self, token: str, *, running: tuple[int, ...] = ()) -> None:
        await self.say(WorkerReport(hello=Hello(token=token, protocol=1, running=running)))

    async def say(self, *reports: WorkerReport) -> None:
        await self.call.write(ReplicaRequest(reports=reports))

    async def order(self, kind: str) -> WorkerOrder:
        """The next order of a kind."""
        async with asyncio.timeout(30):
            while True:
                for order in self.orders:
                    if order.WhichOneof("order") == kind:
                        self.orders.remove(order)
                        return order
                response = await self.call.read()
                assert response is not grpc.aio.EOF, "the stream has ended"
                self.orders.extend(response.orders)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    cluster, clock = PodCluster(), BenchClock()
    service = await open_reuse_pool(database_url="", clusters=[cluster], clock=clock, ids=SeededIds(), tokens=Tokens())
    server = InProcessServer()
    service.add_to(server)
    made = Bench(service, server, cluster, clock)
    yield made
    for scheduler in made.schedulers:
        await scheduler.close()
    await service.close()
    await server.stop(None)


@pytest.fixture
async def stub(bench: Bench, tmp_path: Path) -> AsyncIterator[Any]:
    server = RpcServer(f"unix:{tmp_path}/replicas.sock", interceptors=Interceptors())
    bench.service.add_workers_to(server.grpc_server)
    channel = open_channel(await server.start())
    yield ReplicaServiceStub(channel)
    await channel.close()
    await server.stop(0)


async def started(bench: Bench) -> str:
    """The name of the replica that the pool has asked for."""
    await bench.until(lambda: bool(bench.cluster.started))
    return bench.cluster.started[0].name


async def test_a_replica_over_the_network_executes_attempts(bench: Bench, stub: Any) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    pod, name = Pod(stub), await started(bench)
    await pod.hello(f"token of {name}")
    await scheduler.place(1, "held")
    assert (await pod.order("assign")).lease == 1
    await pod.say(ended(1))
    await scheduler.ended(1)
    await scheduler.accept(1)
    assert (await pod.order("end_accepted")).lease == 1
    pod.call.cancel()


@pytest.mark.parametrize(
    ("token", "code"),
    [("forged", grpc.StatusCode.UNAUTHENTICATED), ("token of nobody", grpc.StatusCode.FAILED_PRECONDITION)],
)
async def test_a_stranger_is_turned_away(bench: Bench, stub: Any, token: str, code: grpc.StatusCode) -> None:
    pod = Pod(stub)
    await pod.hello(token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pod.order("assign")
    assert refused.value.code() is code


async def test_a_stream_begins_with_a_hello(bench: Bench, stub: Any) -> None:
    pod = Pod(stub)
    await pod.say(ended(1))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pod.order("assign")
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_replica_that_comes_back_within_its_lease_keeps_its_attempts(bench: Bench, stub: Any) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(concurrency=2))
    pod, name = Pod(stub), await started(bench)
    await pod.hello(f"token of {name}")
    await scheduler.place(1, "kept", is_async=True)
    await pod.order("assign")
    pod.call.cancel()
    session = bench.service.reuse_pool.session(name)
    assert session is not None
    await bench.until(lambda: session.channel is None)
    await scheduler.place(2, "sent-into-the-break", is_async=True)
    await scheduler.placed(2)
    bench.clock.advance(10)
    back = Pod(stub)
    await back.hello(f"token of {name}", running=(1, 77))
    assert (await back.order("lease_revoked")).lease == 77
    assert (await back.order("declare_task")).declare_task.digest
    assert (await back.order("assign")).lease == 2
    await back.say(ended(1), ended(2))
    await scheduler.ended(1)
    await scheduler.ended(2)
    back.call.cancel()


async def test_a_replica_that_stays_away_is_given_up_and_may_not_come_back(bench: Bench, stub: Any) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    pod, name = Pod(stub), await started(bench)
    await pod.hello(f"token of {name}")
    await scheduler.place(1, "held")
    await pod.order("assign")
    pod.call.cancel()
    for _ in range(19):
        bench.clock.advance(1)
    lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit) == ("REPLICA_LOST", False)
    back = Pod(stub)
    await back.hello(f"token of {name}", running=(1,))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await back.order("assign")
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
