"""The trace of a run is kept with it, and is no part of what makes two requests the same run."""

from __future__ import annotations

import grpc
import pytest
from tests.admin.conftest import Admin, create_request

from flyte.spec.trace_context import TraceContext, run_context
from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.run_traces import RunTraces
from flyteplane.admin.domain.run import RunDraft, TaskChoice
from flyteplane.foundation.ids import SeededIds

ONE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
OTHER = "00-" + "c" * 32 + "-" + "d" * 16 + "-01"
HASTY = TaskChoice(name="env.task", digest=b"", spec=b"")


def draft(trace_parent: str = "") -> RunDraft:
    return RunDraft(
        project="shop",
        domain="development",
        name="r1",
        request_id="",
        task=HASTY,
        inputs=b"",
        inputs_digest=b"",
        settings=RunSettings(queue="q").SerializeToString(),
        created_by="local:me",
        trace_parent=trace_parent,
    )


async def test_the_trace_goes_to_the_scheduler_and_another_one_makes_no_other_run(admin: Admin) -> None:
    first = await admin.runs.CreateRun(create_request("first", settings=RunSettings(trace_parent=ONE)))
    again = await admin.runs.CreateRun(create_request("first", settings=RunSettings(trace_parent=OTHER)))
    assert (first.created, again.created) == (True, False)
    assert again.run.settings.trace_parent == ONE
    assert admin.scheduler.runs["flytesnacks/development/first"].request.settings.trace_parent == ONE


async def test_a_rerun_does_not_belong_to_the_trace_of_its_source(admin: Admin) -> None:
    source = await admin.runs.CreateRun(create_request("source", settings=RunSettings(trace_parent=ONE, queue="q")))
    again = await admin.runs.RerunRun(pb.RerunRunRequest(source=source.run.id, name="again"))
    assert again.run.settings == RunSettings(queue="q")


@pytest.mark.parametrize("header", ["nonsense", ONE.upper(), ONE[:-3]])
async def test_what_is_no_traceparent_is_refused(admin: Admin, header: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await admin.runs.CreateRun(create_request("first", settings=RunSettings(trace_parent=header)))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "traceparent" in str(refused.value.details())


def test_a_run_with_a_trace_keeps_it_whatever_the_sample() -> None:
    assert RunSettings.FromString(RunTraces(ids=SeededIds()).of(draft(ONE), run="r1")).trace_parent == ONE


def test_a_run_without_one_begins_a_trace_with_its_own_span() -> None:
    found = RunSettings.FromString(RunTraces(ids=SeededIds(), sample=1.0).of(draft(), run="r1"))
    trace = TraceContext.parse(found.trace_parent)
    assert trace is not None
    assert trace == run_context(trace, "r1")


def test_the_sample_is_a_part_of_the_runs() -> None:
    traces = RunTraces(ids=SeededIds(), sample=0.25)
    assert 200 < sum(bool(traces.of(draft(), run="r1")) for _ in range(1000)) < 300
    assert not any(RunTraces(ids=SeededIds()).of(draft(), run="r1") for _ in range(100))
