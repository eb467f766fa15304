"""A platform that has queues, resource classes and clusters, and one action that waits: real servicers over memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.scheduler.administration_world import World

from flyte.syncify import BackgroundLoop
from flyteapi.admin.v1 import run_service_pb2 as runs
from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceServicer, add_RunServiceServicer_to_server
from flyteapi.common.v1.phase_pb2 import PHASE_FAILED, PHASE_QUEUED
from flyteapi.scheduler.v1 import scheduler_service_pb2 as api
from flyteapi.scheduler.v1.cluster_service_pb2_grpc import add_ClusterServiceServicer_to_server
from flyteapi.scheduler.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server
from flyteapi.scheduler.v1.resource_class_service_pb2_grpc import add_ResourceClassServiceServicer_to_server
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.clock import SystemClock
from flyteplane.rpc.server import RpcServer
from flyteplane.scheduler.application.cluster_list import ClusterList
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.servicer.cluster_service import ClusterServicer
from flyteplane.scheduler.servicer.queue_service import QueueServicer
from flyteplane.scheduler.servicer.resource_class_service import ResourceClassServicer

IN_FILE = Entries(
    queues=(QueueSettings(name="kept"),),
    classes=(ResourceClass(name="shape"),),
    path="/etc/flyteplane.yaml",
)


class WaitingRun(RunServiceServicer):
    """Has one action, `explained`, which was tried once."""

    def __init__(self) -> None:
        self.explained = api.ExplainActionResponse(
            phase=PHASE_QUEUED,
            summary="It waits for its turn.",
            queue="gpu",
            ahead_in_queue=3,
            resource_class="large",
            waits_for="queue",
        )

    async def GetAction(self, request: runs.GetActionRequest, context: Any) -> runs.GetActionResponse:
        """The action and its first attempt."""
        state = api.ActionState(id=request.action, phase=PHASE_QUEUED, attempt=1)
        state.header.queue = "default"
        tried = api.AttemptState(attempt=1, phase=PHASE_FAILED, worker="w1", cluster="prod", resource_class="small")
        tried.error.code, tried.error.message = "Evicted", "the node was low on memory"
        return runs.GetActionResponse(action=state, attempts=[tried], task=TaskSpec(env={"A": "task"}))

    async def GetRun(self, request: runs.GetRunRequest, context: Any) -> runs.GetRunResponse:
        """The run of the action, with settings of its own."""
        settings = api.RunSettings(queue="gpu", env={"B": "run"})
        return runs.GetRunResponse(run=runs.Run(id=request.run, settings=settings))

    async def ExplainAction(self, request: runs.ExplainActionRequest, context: Any) -> runs.ExplainActionResponse:
        """What the test says."""
        return runs.ExplainActionResponse(explanation=self.explained)


class AdministrationPlatform:
    """The server, on a socket, with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"unix:{folder}/a.sock"
        self.world = World(file=IN_FILE)
        self.run = WaitingRun()  # type: ignore[abstract]
        self._background = BackgroundLoop(name="administration-platform")
        self._server: RpcServer | None = None

    def start(self) -> None:
        """Serve."""
        self._background.run(self._start(), what="start")

    def close(self) -> None:
        """End everything."""
        self._background.run(self._stop(), what="stop")
        loop = self._background.loop()
        loop.call_soon_threadsafe(loop.stop)

    async def _start(self) -> None:
        await self.world.lead()
        server = RpcServer(self.endpoint)
        clusters = ClusterList([MemoryCluster(name="local")], workers=lambda name: 3)
        add_QueueServiceServicer_to_server(QueueServicer(self.world.queues, clock=SystemClock()), server.grpc_server)
        add_ResourceClassServiceServicer_to_server(
            ResourceClassServicer(self.world.classes, clock=SystemClock()), server.grpc_server
        )
        add_ClusterServiceServicer_to_server(ClusterServicer(clusters), server.grpc_server)
        add_RunServiceServicer_to_server(self.run, server.grpc_server)
        await server.start()
        self._server = server

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
