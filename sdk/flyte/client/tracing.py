"""The place of a submission in a trace, told to the platform with each call that belongs to it.

A program that uses OpenTelemetry, or that names a collector in `OTEL_EXPORTER_OTLP_ENDPOINT`, gets a span for each
submission, and its runs continue the trace. Otherwise a `TRACEPARENT` in the environment is passed on. Programs without
either load nothing: OpenTelemetry is imported only where it is loaded already or a collector is named.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.trace_context import TRACE_PARENT, TRACE_PARENT_VARIABLE, TraceContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_COLLECTOR_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_FLUSH_WITHIN_S: Final = 1.0
_SEND_WITHIN_S: Final = 5.0

_present: ContextVar[str] = ContextVar("flyte_trace_parent", default="")


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """What goes with a call that is made while something is submitted."""
    header = _present.get()
    return ((TRACE_PARENT, header),) if header else ()


@contextmanager
def submission(what: str) -> Iterator[None]:
    """Calls in the block belong to one submission, which has a span of its own if this program is traced.

    Nothing of a span is worth a failed submission: a collector that is down is not noticed here.
    """
    tracer = _tracer()
    if tracer is None:
        with _told(_given_parent()):
            yield
        return
    with tracer.start_as_current_span(f"submit {what}", context=_parent_context()) as span, _told(_header(span)):
        yield


@contextmanager
def _told(header: str) -> Iterator[None]:
    token = _present.set(header)
    try:
        yield
    finally:
        _present.reset(token)


def _given_parent() -> str:
    """The parent that this program was given from outside; empty for none."""
    header = os.environ.get(TRACE_PARENT_VARIABLE, "")
    return header if TraceContext.parse(header) is not None else ""


def _tracer() -> Tracer | None:
    """Makes spans of this program; None if it makes none."""
    if "opentelemetry.sdk.trace" in sys.modules:
        from opentelemetry import trace

        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            return trace.get_tracer("flyte")
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    endpoint = next((os.environ[name] for name in _COLLECTOR_VARIABLES if os.environ.get(name)), "")
    return _own_tracer(endpoint, os.getpid()) if endpoint else None


@cache
def _own_tracer(endpoint: str, process: int) -> Tracer | None:
    """A tracer that sends to the collector, for a program that has set none up. None if OpenTelemetry is not there."""
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        return None
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"), timeout=_SEND_WITHIN_S)
    name = os.environ.get("OTEL_SERVICE_NAME", "flyte")
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    atexit.register(_flush, provider)
    return provider.get_tracer("flyte")


def _flush(provider: Any) -> None:
    """Send what waits, without keeping the program from its end for long."""
    sending = threading.Thread(target=provider.force_flush, daemon=True)
    sending.start()
    sending.join(_FLUSH_WITHIN_S)


def _parent_context() -> Any:
    """The OpenTelemetry context to begin a span in: the present one, or what the program was given from outside."""
    from opentelemetry import trace

    header = _given_parent()
    if trace.get_current_span().get_span_context().is_valid or not header:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({TRACE_PARENT: header})


def _header(span: Span) -> str:
    found = span.get_span_context()
    if not found.is_valid:
        return ""
    return str(TraceContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", bool(found.trace_flags.sampled)))
