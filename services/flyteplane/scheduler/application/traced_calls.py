"""Spans of recorded calls of traced functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flyteapi.scheduler.v1.worker_service_pb2 import TraceRecord
from flyteplane.observe.spans import Span

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyte.spec.trace_context import TraceContext


def spans_of_calls(records: Sequence[bytes], *, below: TraceContext) -> Iterator[Span]:
    """The spans of the calls that an action has recorded, below the span of its code."""
    for number, content in enumerate(records, 1):
        record = TraceRecord.FromString(content)
        ended = _seconds(record.end_time)
        yield Span(
            name=record.name,
            context=below.below("call", below.span_id, number),
            parent=below.span_id,
            began=_seconds(record.start_time) or ended,
            ended=ended,
            error=record.error.code if record.HasField("error") else "",
        )


def _seconds(time: Timestamp) -> float:
    return time.seconds + time.nanos / 1e9
