"""Spans leave the process on a thread of their own, and a collector that is away costs nothing but its spans."""

from __future__ import annotations

import threading
import time

import pytest
from tests.support.collector import Collector
from tests.support.log_lines import LogLines

from flyte.spec.trace_context import TraceContext
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.observe.export import ExportedSpans
from flyteplane.observe.otlp import open_otlp
from flyteplane.observe.spans import Span
from flyteplane.observe.telemetry import TelemetrySettings, open_exporter

TRACE = TraceContext("a" * 32, "b" * 16)


def span(name: str) -> Span:
    return Span(name=name, context=TRACE.below(name), parent=TRACE.span_id, began=1000.0, ended=1001.5)


def figures(exporter: ExportedSpans) -> dict[str, float]:
    return {"/".join((reading.name, *reading.labels.values())): reading.value for reading in exporter.readings()}


def test_a_collector_is_sent_what_was_offered() -> None:
    collector = Collector()
    collector.start()
    exporter = open_otlp(collector.endpoint, attributes={"service.name": "flyteplane"})
    try:
        exporter.offer(lambda: (span("one"), span("two")))
        first, second = collector.spans(lambda spans: len(spans) == 2)
    finally:
        exporter.close()
        collector.stop()
    assert (first.name, first.trace_id, first.parent, first.service) == ("one", "a" * 32, "b" * 16, "flyteplane")
    assert (first.began_s, first.ended_s) == (1000.0, 1001.5)
    assert second.span_id == TRACE.below("two").span_id
    assert figures(exporter)["spans_exported"] == 2


def test_what_waits_for_a_slow_collector_is_bounded_and_what_has_no_room_is_counted() -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def send(spans: list[Span]) -> bool:
        at_work.set()
        return go_on.wait(10)

    exporter = ExportedSpans(send, most_waiting=3)
    exporter.offer(lambda: [span("first")])
    assert at_work.wait(10)
    began = time.perf_counter()
    for number in range(10_000):
        exporter.offer(lambda number=number: [span(str(number))])  # type: ignore[misc]  # the default's type is not inferred
    assert time.perf_counter() - began < 5.0
    assert figures(exporter)["spans_waiting"] == 3
    assert figures(exporter)["spans_dropped/queue_full"] == 9_997
    go_on.set()
    exporter.close()
    assert figures(exporter)["spans_exported"] == 4


def test_a_collector_that_is_away_is_counted_and_holds_no_end_up() -> None:
    exporter = open_otlp("http://127.0.0.1:1", attributes={})
    exporter.offer(lambda: [span("lost")])
    began = time.monotonic()
    exporter.close()
    assert time.monotonic() - began < 15


def test_a_span_that_cannot_be_made_takes_no_other_with_it(log_lines: LogLines) -> None:
    sent: list[str] = []
    arrived = threading.Event()

    def send(spans: list[Span]) -> bool:
        sent.extend(one.name for one in spans)
        arrived.set()
        return True

    exporter = ExportedSpans(send)
    exporter.offer(lambda: [1 / 0])  # type: ignore[list-item]  # it never gives one
    exporter.offer(lambda: [span("sound")])
    assert arrived.wait(20)
    exporter.close()
    assert sent == ["sound"]
    assert figures(exporter)["spans_dropped/collector"] == 1
    (line,) = log_lines.all("span_not_made")
    assert "ZeroDivisionError" in line["exception"]


def test_without_a_collector_there_is_no_exporter() -> None:
    assert open_exporter(TelemetrySettings(), process="test", version="0") is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"otlp_endpoint": "collector:4317"}, "otlp_endpoint"),
        ({"otlp_endpoint": "http://collector"}, "otlp_endpoint"),
        ({"otlp_endpoint": "http://:4317"}, "otlp_endpoint"),
        ({"otlp_endpoint": "http://collector:port"}, "otlp_endpoint"),
        ({"sample": 1.5}, "sample"),
        ({"sample": -0.1}, "sample"),
        ({"sample": float("nan")}, "sample"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        TelemetrySettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field
