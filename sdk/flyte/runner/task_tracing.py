"""The place of an attempt in its run's trace, told to the task's code.

Programs are told by `TRACEPARENT`. Where OpenTelemetry is installed its context is set as well, so that spans which
the task itself makes join the trace without a word of its author. Runs that are not traced load and cost nothing.
"""

from __future__ import annotations

import contextvars

from flyte.spec.trace_context import TraceContext


def attach(context: contextvars.Context, trace: TraceContext) -> None:
    """Make `trace` the parent of the spans that code makes which runs in `context`."""
    try:
        from opentelemetry import context as current
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
    except ImportError:
        return
    parent = SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT),
    )
    context.run(lambda: current.attach(set_span_in_context(NonRecordingSpan(parent))))
