"""One trace from the program that submits, through the services, into the code of the tasks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

import pytest
from tests.support.collector import Received
from tests.telemetry.conftest import Watched
from tests.telemetry.programs import traced

import flyte
from flyte.spec.trace_context import TraceContext


def named(spans: Sequence[Received], name: str) -> list[Received]:
    return [span for span in spans if span.name == name]


def only(spans: Sequence[Received], name: str) -> Received:
    (found,) = named(spans, name)
    return found


def of_run(spans: Sequence[Received], run: str) -> list[Received]:
    """All spans of the trace in which a run is, once that run is told of."""
    (root,) = [span for span in spans if span.attributes.get("flyte.run") == run and "flyte.project" in span.attributes]
    return [span for span in spans if span.trace_id == root.trace_id]


def is_told_of(run: str) -> Callable[[Sequence[Received]], bool]:
    return lambda spans: any(
        span.attributes.get("flyte.run") == run and "flyte.project" in span.attributes for span in spans
    )


def test_a_run_with_two_children_is_one_joined_trace(client: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", client.collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    began = time.time()
    run = flyte.with_runcontext(env_vars={"OTEL_EXPORTER_OTLP_ENDPOINT": client.collector.endpoint}).run(traced.parent)
    run.wait()
    parents = run.outputs()[0]
    ended = time.time()
    told_of = is_told_of(run.name)
    spans = client.collector.spans(lambda spans: told_of(spans) and bool(named(spans, "submit traced.parent")))
    trace = of_run(spans, run.name)
    by_id = {span.span_id: span for span in trace}
    assert len(by_id) == len(trace), "a span was told twice"
    submit = only(trace, "submit traced.parent")
    assert submit.parent == ""
    assert {span.span_id for span in trace if span.parent not in by_id} == {submit.span_id}

    def path(span: Received) -> list[str]:
        return [span.name, *(path(by_id[span.parent]) if span.parent else [])]

    create = "flyteapi.admin.v1.RunService/CreateRun"
    above = ["action traced.parent", "run traced.parent", create, "submit traced.parent"]
    children = ["running", "attempt 1", "action traced.child", "action traced.parent", *above[1:]]
    for number in (1, 2):
        assert path(only(trace, f"own work {number}")) == [f"own work {number}", *children]
    assert [path(span) for span in named(trace, "traced.looked_up")] == [["traced.looked_up", *children]] * 2
    assert len(named(trace, "queued")) == len(named(trace, "starting")) == len(named(trace, "running")) == 3
    assert all(began - 0.01 <= span.began_s <= span.ended_s <= ended + 0.01 for span in trace)
    told = {(context.trace_id, context.span_id) for header in parents if (context := TraceContext.parse(header))}
    codes = {span.parent for span in trace if span.name.startswith("own work")}
    assert told == {(submit.trace_id, code) for code in codes}


def test_the_platform_begins_a_trace_for_a_run_without_one(client: Watched) -> None:
    run = flyte.run(traced.untraced)
    run.wait()
    spans = of_run(client.collector.spans(is_told_of(run.name)), run.name)
    assert only(spans, "run traced.untraced").parent == ""
    assert run.outputs()[0].split("-")[1] == spans[0].trace_id


def test_each_attempt_is_told_of_and_no_message_of_an_error(client: Watched) -> None:
    run = flyte.run(traced.failing)
    run.wait()
    spans = of_run(client.collector.spans(is_told_of(run.name)), run.name)
    assert only(spans, "attempt 1").error == only(spans, "attempt 2").error == "ValueError"
    first, second = sorted(named(spans, "queued"), key=lambda span: span.began_s)
    assert first.ended_s <= only(spans, "attempt 1").ended_s <= second.began_s + 1e-6
    assert "nobody's business" not in repr(spans)


def test_a_run_that_is_not_sampled_is_not_told_of(client: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
    monkeypatch.setenv("TRACEPARENT", header)
    first = flyte.run(traced.untraced)
    first.wait()
    monkeypatch.delenv("TRACEPARENT")
    second = flyte.run(traced.untraced)
    second.wait()
    spans = client.collector.spans(is_told_of(second.name))
    assert not [span for span in spans if span.trace_id == "a" * 32]
    assert re.fullmatch(r"00-a{32}-[0-9a-f]{16}-00", first.outputs()[0])


def test_the_same_run_submitted_in_another_span_is_the_same_run(
    client: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", "00-" + "c" * 32 + "-" + "d" * 16 + "-01")
    first = flyte.with_runcontext(name="twice-told").run(traced.untraced)
    monkeypatch.setenv("TRACEPARENT", "00-" + "e" * 32 + "-" + "f" * 16 + "-01")
    again = flyte.with_runcontext(name="twice-told").run(traced.untraced)
    again.wait()
    assert first.name == again.name
    assert "c" * 32 in again.outputs()[0]
