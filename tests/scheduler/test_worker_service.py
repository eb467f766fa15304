"""WorkerService over real gRPC: pods open a stream, are told their attempt, and come back after a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from tests.scheduler.harness import task
from tests.scheduler.test_pods_over_leaders import Pods

from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    AttemptStarted,
    Heartbeat,
    Hello,
    SessionRequest,
    SessionResponse,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.scheduler.v1.worker_service_pb2_grpc import WorkerServiceStub, add_WorkerServiceServicer_to_server
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.rpc.server import RpcServer
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.servicer.worker_service import WorkerServicer


class Stream:
    """The pod's end of a session."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._call = WorkerServiceStub(channel).Session()
        self._orders: list[WorkerOrder] = []

    async def say(self, *reports: WorkerReport) -> None:
        """Sends one batch."""
        await self._call.write(SessionRequest(reports=reports))

    async def order(self) -> WorkerOrder:
        """The next order."""
        while not self._orders:
            response = await self._call.read()
            if response is grpc.aio.EOF:
                raise EOFError(await self._call.code())
            assert isinstance(response, SessionResponse)
            self._orders.extend(response.orders)
        return self._orders.pop(0)

    async def code(self) -> grpc.StatusCode:
        """How the stream ended."""
        async with asyncio.timeout(30):
            with suppress(grpc.aio.AioRpcError):
                while await self._call.read() is not grpc.aio.EOF:
                    pass
            return await self._call.code()

    def break_off(self) -> None:
        """The connection is lost."""
        self._call.cancel()


class Pod(Pods):
    """Pods whose streams are real."""

    channel: grpc.aio.Channel

    async def submit(self) -> None:
        """One run, whose pod is started."""
        await self.stage.submit(task())

    def greeting(self, *, running: bool = False) -> WorkerReport:
        """The Hello of the pod."""
        leases = [self.lease] if running else []
        return WorkerReport(hello=Hello(token=self.pod.spec.token, protocol=1, running=leases))


@pytest.fixture
async def pods(tmp_path: Path) -> AsyncIterator[Pod]:
    pods = Pod(tmp_path)
    await pods.stage.start()
    server = RpcServer("127.0.0.1:0")
    add_WorkerServiceServicer_to_server(WorkerServicer(pods.sessions), server.grpc_server)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        pods.channel = channel
        yield pods
    await server.stop(0.1)
    await pods.stage.close()


async def test_a_pod_runs_its_attempt_over_a_stream_that_breaks_in_the_middle(pods: Pod) -> None:
    await pods.submit()
    first = Stream(pods.channel)
    await first.say(pods.greeting())
    assert [(await first.order()).WhichOneof("order") for _ in range(3)] == ["declare_run", "declare_task", "assign"]
    await first.say(
        WorkerReport(lease=pods.lease, started=AttemptStarted()), WorkerReport(heartbeat=Heartbeat(sequence=1))
    )
    assert (await first.order()).heartbeat_answer.sequence == 1
    first.break_off()
    second = Stream(pods.channel)
    await second.say(pods.greeting(running=True))
    await second.say(WorkerReport(lease=pods.lease, ended=AttemptEnded(outputs=Payload(inline=b"out"))))
    assert (await second.order()).WhichOneof("order") == "end_accepted"
    assert await pods.stage.phase() is Phase.SUCCEEDED
    second.break_off()


async def test_a_stream_that_does_not_begin_with_hello_is_refused(pods: Pod) -> None:
    await pods.submit()
    stream = Stream(pods.channel)
    await stream.say(WorkerReport(heartbeat=Heartbeat(sequence=1)))
    assert await stream.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_forged_token_is_refused(pods: Pod) -> None:
    await pods.submit()
    stream = Stream(pods.channel)
    await stream.say(WorkerReport(hello=Hello(token="forged")))
    assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_pod_whose_attempt_is_over_is_told_to_go(pods: Pod) -> None:
    await pods.submit()
    first, greeting = Stream(pods.channel), pods.greeting()
    await first.say(greeting)
    for _ in range(3):
        await first.order()
    await first.say(WorkerReport(lease=pods.lease, ended=AttemptEnded(outputs=Payload(inline=b"out"))))
    await first.order()
    first.break_off()
    again = Stream(pods.channel)
    await again.say(greeting)
    assert await again.code() is grpc.StatusCode.FAILED_PRECONDITION
