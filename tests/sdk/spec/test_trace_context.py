"""The W3C traceparent is read strictly, and the spans below it are always the same ones."""

from __future__ import annotations

import pytest

from flyte.spec.trace_context import TraceContext, attempt_context, run_context

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_header_is_read_and_written() -> None:
    found = TraceContext.parse(GOOD)
    assert found == TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
    assert str(found) == GOOD
    unsampled = TraceContext.parse(GOOD[:-1] + "0")
    assert unsampled is not None
    assert not unsampled.sampled


def test_a_later_version_may_say_more() -> None:
    assert TraceContext.parse("01" + GOOD[2:] + "-more") == TraceContext.parse(GOOD)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        GOOD.upper(),
        GOOD + "-more",
        "ff" + GOOD[2:],
        GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        GOOD.replace("b7ad6b7169203331", "0" * 16),
        GOOD[:-1],
        GOOD + "\n",
    ],
)
def test_what_is_no_header_is_no_context(header: str) -> None:
    assert TraceContext.parse(header) is None


def test_spans_below_are_told_apart_and_never_change() -> None:
    trace = TraceContext.parse(GOOD)
    assert trace is not None
    contexts = [run_context(trace, "r"), *(attempt_context(trace, "r", "a0", number) for number in (1, 2))]
    assert len({context.span_id for context in contexts}) == 3
    assert {context.trace_id for context in contexts} == {trace.trace_id}
    assert (
        attempt_context(trace, "r", "a0", 1).span_id == attempt_context(run_context(trace, "r"), "r", "a0", 1).span_id
    )
