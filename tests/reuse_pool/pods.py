"""A reuse pool with clusters of pods, and replicas that speak to it over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from tests.reuse_pool.bench import Bench, BenchClock, obedient

from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import Heartbeat, Hello, WorkerOrder, WorkerReport
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.ids import SeededIds
from flyteplane.reuse_pool.application.ports import SecretsPort
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.tokens import ReplicaTokens, TokenMinter, TokenVerifier

CONTACT_S = 20.0


class PodBench(Bench):
    """Two clusters: `local` of processes, the default, and `prod` of pods, which is `cluster`."""

    local: MemoryCluster
    minter: TokenMinter
    verifier: TokenVerifier
    address: str
    leads: bool = True

    async def replica(self, *, number: int = 0) -> str:
        """The name of a replica that was asked for, in the order of asking."""
        await self.until(lambda: len(self.cluster.started) > number)
        return self.cluster.started[number].name

    def token(self, name: str) -> str:
        """What a replica was started with."""
        return next(spec.token for spec in self.cluster.started if spec.name == name)

    @asynccontextmanager
    async def pod(self, token: str, *, running: tuple[int, ...] = ()) -> AsyncIterator[Pod]:
        """A replica that has said Hello."""
        channel = open_channel(self.address)
        pod = Pod(ReplicaServiceStub(channel).Replica())
        try:
            await pod.say(WorkerReport(hello=Hello(token=token, protocol=1, running=running)))
            yield pod
        finally:
            pod.call.cancel()
            await channel.close()


class Pod:
    """A replica's end of its stream."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._orders: list[WorkerOrder] = []

    async def say(self, *reports: WorkerReport) -> None:
        """Reports something."""
        await self.call.write(ReplicaRequest(reports=reports))

    async def beat(self, sequence: int) -> None:
        """A heartbeat that wants an answer."""
        await self.say(WorkerReport(heartbeat=Heartbeat(sequence=sequence)))

    async def order(self, kind: str) -> WorkerOrder:
        """The next order of a kind. Raises AioRpcError when the stream is refused, EOFError when it has ended."""
        async with asyncio.timeout(30):
            while True:
                for order in self._orders:
                    if order.WhichOneof("order") == kind:
                        self._orders.remove(order)
                        return order
                response = await self.call.read()
                if response is grpc.aio.EOF:
                    raise EOFError
                self._orders.extend(response.orders)

    def had(self, kind: str) -> list[WorkerOrder]:
        """Orders of a kind that have come by now, each told once."""
        found = [order for order in self._orders if order.WhichOneof("order") == kind]
        self._orders = [order for order in self._orders if order.WhichOneof("order") != kind]
        return found

    async def refusal(self) -> tuple[grpc.StatusCode, str]:
        """Why the stream was refused."""
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        return await self.call.code(), await self.call.details()


@asynccontextmanager
async def pods_bench(folder: Path, *, secrets: SecretsPort | None = None) -> AsyncIterator[PodBench]:
    """A running service."""
    clock, key = BenchClock(), bytes(32)
    local, prod = (
        MemoryCluster(obedient, name="local"),
        MemoryCluster(name="prod", outlives_owner=True, contact_s=CONTACT_S),
    )
    minter, verifier = TokenMinter(key, clock=clock), TokenVerifier(key, clock=clock)
    service = await open_reuse_pool(
        database_url="",
        clusters=[local, prod],
        clock=clock,
        ids=SeededIds(),
        tokens=ReplicaTokens(minter, verifier),
        secrets=secrets,
        leads=lambda: bench.leads,
    )
    inside = InProcessServer()
    service.add_to(inside)
    bench = PodBench(service, inside, prod, clock)
    bench.local, bench.minter, bench.verifier = local, minter, verifier
    server = RpcServer(f"unix:{folder}/replicas.sock", interceptors=Interceptors())
    service.add_workers_to(server.grpc_server)
    bench.address = await server.start()
    try:
        yield bench
    finally:
        for scheduler in bench.schedulers:
            await scheduler.close()
        await server.stop(0)
        await service.close()
        await inside.stop(None)
