"""What is seen of a call: its status, its latency, its trace, and what lines that are written meanwhile say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tests.support.log_lines import LogLines

from flyte.spec.trace_context import TraceContext
from flyteapi.admin.v1 import run_service_pb2
from flyteapi.admin.v1.run_service_pb2 import GetRunRequest, GetRunResponse, WatchRunRequest, WatchRunResponse
from flyteapi.admin.v1.run_service_pb2_grpc import (
    RunServiceServicer,
    RunServiceStub,
    add_RunServiceServicer_to_server,
)
from flyteapi.common.v1.identity_pb2 import RunId
from flyteplane.foundation.errors import NotFound
from flyteplane.observe import DistributionReading, get_logger
from flyteplane.observe.spans import KeptSpans, current_trace
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.forwarding import add_forwarding
from flyteplane.rpc.observation import MOST_METHODS, RpcObservation
from flyteplane.rpc.server import RpcServer

SERVICE = "flyteapi.admin.v1.RunService"
PARENT = TraceContext("a" * 32, "b" * 16)
RUN = RunId(project="shop", domain="development", name="r1")


class Runs(RunServiceServicer):
    """Knows the run `r1`."""

    async def GetRun(self, request: GetRunRequest, context: Any) -> GetRunResponse:
        get_logger("tests").info("asked")
        if request.run.name != "r1":
            raise NotFound("there is no such run")
        response = GetRunResponse()
        response.run.created_by = str(current_trace() or "")
        return response

    async def WatchRun(self, request: WatchRunRequest, context: Any) -> AsyncIterator[WatchRunResponse]:
        yield WatchRunResponse(ended=True)


class World:
    """A server that is observed."""

    def __init__(self) -> None:
        self.spans = KeptSpans()
        self.observation = RpcObservation(spans=self.spans)
        self.server = RpcServer("127.0.0.1:0")
        self.server.observed_by(self.observation)
        # What it does not have answers UNIMPLEMENTED, as generated code does.
        servicer = Runs()  # type: ignore[abstract]  # only what is called is there
        add_RunServiceServicer_to_server(servicer, self.server.grpc_server)

    def counts(self) -> dict[tuple[str, str], float]:
        found = {}
        for reading in self.observation.readings():
            if not isinstance(reading, DistributionReading):
                found[reading.labels["method"], reading.labels["status"]] = reading.value
        return found


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.server.start()
    yield world
    await world.server.stop(0)


@pytest.fixture
async def runs(world: World) -> AsyncIterator[Any]:
    async with open_channel(world.server.address) as channel:
        yield RunServiceStub(channel)


async def test_calls_are_counted_by_method_and_status(world: World, runs: Any) -> None:
    await runs.GetRun(GetRunRequest(run=RUN))
    with pytest.raises(grpc.aio.AioRpcError):
        await runs.GetRun(GetRunRequest())
    assert [piece.ended async for piece in runs.WatchRun(WatchRunRequest())] == [True]
    with pytest.raises(grpc.aio.AioRpcError):
        await runs.AbortRun(GetRunRequest())
    assert world.counts() == {
        ("GetRun", "OK"): 1,
        ("GetRun", "NOT_FOUND"): 1,
        ("WatchRun", "OK"): 1,
        ("AbortRun", "UNIMPLEMENTED"): 1,
    }
    latencies = {
        reading.labels["method"]: reading.values.count
        for reading in world.observation.readings()
        if isinstance(reading, DistributionReading)
    }
    assert latencies == {"GetRun": 2, "AbortRun": 1}


async def test_a_sampled_call_has_a_span_below_its_caller_and_the_servicer_works_below_that(
    world: World, runs: Any
) -> None:
    answer = await runs.GetRun(GetRunRequest(run=RUN), metadata=[("traceparent", str(PARENT))])
    (span,) = world.spans.spans
    assert (span.name, span.parent, span.error) == (f"{SERVICE}/GetRun", PARENT.span_id, "")
    assert answer.run.created_by == str(span.context)
    assert span.context.trace_id == PARENT.trace_id


@pytest.mark.parametrize("header", ["", "nonsense", f"{str(PARENT)[:-2]}00"])
async def test_a_call_that_is_not_sampled_has_none(world: World, runs: Any, header: str) -> None:
    await runs.GetRun(GetRunRequest(run=RUN), metadata=[("traceparent", header)] if header else [])
    assert world.spans.spans == []


async def test_a_call_that_is_passed_on_stays_in_its_trace(world: World) -> None:
    edge, spans = RpcServer("127.0.0.1:0"), KeptSpans()
    edge.observed_by(RpcObservation(spans=spans))
    async with open_channel(world.server.address) as inner:
        add_forwarding(edge.grpc_server, run_service_pb2.DESCRIPTOR.services_by_name["RunService"], channel=inner)
        async with open_channel(await edge.start()) as outer:
            stub: Any = RunServiceStub(outer)
            await stub.GetRun(GetRunRequest(run=RUN), metadata=[("traceparent", str(PARENT))])
    await edge.stop(0)
    (above,), (below,) = spans.spans, world.spans.spans
    assert (above.parent, below.parent) == (PARENT.span_id, above.context.span_id)


async def test_lines_say_which_call_and_run_they_are_about(world: World, runs: Any, log_lines: LogLines) -> None:
    await runs.GetRun(GetRunRequest(run=RUN), metadata=[("traceparent", str(PARENT))])
    await runs.GetRun(GetRunRequest(run=RUN))
    get_logger("tests").info("apart")
    first, second, apart = log_lines.all()
    assert first["rpc"] == f"/{SERVICE}/GetRun"
    assert (first["run"], first["trace"]) == ("shop/development/r1", PARENT.trace_id)
    assert "trace" not in second
    assert "run" not in apart


async def test_names_of_methods_that_nobody_has_do_not_fill_the_memory(world: World) -> None:
    for number in range(MOST_METHODS + 50):
        world.observation._count(f"/{SERVICE}/Nothing{number}", "UNIMPLEMENTED")
    assert len(world.counts()) == MOST_METHODS + 1
    assert world.counts()["other", "UNIMPLEMENTED"] == 50
