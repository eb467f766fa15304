"""Speaks OTLP. The only module that loads OpenTelemetry, and only where the operator names a collector."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from flyteplane.observe.export import SEND_WITHIN_S, ExportedSpans
from flyteplane.observe.spans import Span

_KINDS: Final = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER}
_SCOPE: Final = InstrumentationScope("flyteplane")


def open_otlp(endpoint: str, *, attributes: dict[str, str]) -> ExportedSpans:
    """Begin to export to `http://host:port` (without TLS) or `https://host:port`.

    Args:
        attributes: what is true of all spans of this process, such as `service.name`.
    """
    # Each failed try is a line of theirs; ours says once that the collector is away, and once that it is back.
    logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=SEND_WITHIN_S)
    return ExportedSpans(_sender(exporter, Resource.create(dict(attributes))), stop_sending=exporter.shutdown)


def _sender(exporter: OTLPSpanExporter, resource: Resource) -> Callable[[list[Span]], bool]:
    def send(spans: list[Span]) -> bool:
        return exporter.export([_readable(span, resource) for span in spans]) is SpanExportResult.SUCCESS

    return send


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_context(span.context.trace_id, span.context.span_id),
        parent=_context(span.context.trace_id, span.parent) if span.parent else None,
        resource=resource,
        attributes=dict(span.attributes),
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=round(span.began * 1e9),
        end_time=round(span.ended * 1e9),
        instrumentation_scope=_SCOPE,
    )


def _context(trace_id: str, span_id: str) -> Any:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
