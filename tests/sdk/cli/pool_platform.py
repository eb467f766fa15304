"""A platform that has a reuse pool and nothing else: the real service over replicas in memory."""

from __future__ import annotations

from pathlib import Path

from tests.reuse_pool.bench import Bench, BenchClock, Scheduler, declaration, obedient

from flyte.syncify import BackgroundLoop
from flyteapi.scheduler.v1.worker_service_pb2 import Heartbeat, WorkerReport
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.ids import SeededIds
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.server import RpcServer

#: Names of its two pools; the second has a replica that cannot be started.
BUSY, BROKEN = "a" * 64, "b" * 64


class PoolPlatform:
    """The server, on a socket, with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"unix:{folder}/pools.sock"
        self._background = BackgroundLoop(name="pool-platform")
        self._bench: Bench | None = None
        self._scheduler: Scheduler | None = None
        self._server: RpcServer | None = None

    def start(self) -> None:
        """Serve, with one pool at work."""
        self._background.run(self._start(), what="start")

    def break_a_pool(self, error: PlatformError) -> None:
        """Open a pool whose replicas cannot be started."""
        self._background.run(self._break(error), what="break")

    def close(self) -> None:
        """End everything."""
        self._background.run(self._stop(), what="stop")
        loop = self._background.loop()
        loop.call_soon_threadsafe(loop.stop)

    async def _start(self) -> None:
        cluster, clock = MemoryCluster(obedient), BenchClock()
        service = await open_reuse_pool(database_url="", clusters=[cluster], clock=clock, ids=SeededIds())
        inside, self._server = InProcessServer(), RpcServer(self.endpoint)
        for server in (inside, self._server.grpc_server):
            service.add_to(server)
        await self._server.start()
        self._bench = Bench(service, inside, cluster, clock)
        self._scheduler = await self._bench.scheduler()
        await self._scheduler.declare(declaration(BUSY, least=0, most=1, concurrency=2))
        for lease, action in enumerate(("held", "held too", "waits"), start=1):
            await self._scheduler.place(lease, action, is_async=True)
        replica = await self._scheduler.placed(1)
        self._bench.worker(replica).say(WorkerReport(heartbeat=Heartbeat(resident_bytes=50 << 20)))

    async def _break(self, error: PlatformError) -> None:
        assert self._bench is not None
        assert self._scheduler is not None
        self._bench.cluster.refusal = error
        await self._scheduler.declare(declaration(BROKEN, least=0, most=1, environment="broken"))
        await self._scheduler.place(9, "quick", pool=BROKEN)
        pools = self._bench.service.reuse_pool
        await self._bench.until(lambda: any(pool.state.trouble for pool in pools.list_pools()))

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
        if self._bench is not None and self._scheduler is not None:
            await self._scheduler.close()
            await self._bench.server.stop(None)
            await self._bench.service.close()
            await self._bench.cluster.close()
