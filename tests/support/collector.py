"""A collector of traces: a real OTLP receiver, made of OpenTelemetry's own servicers, that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A span as it came in."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent: str
    began_s: float
    ended_s: float
    attributes: Mapping[str, Any]
    error: str


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Listens on a free port of this machine from `start` to `stop`."""

    def __init__(self) -> None:
        self._spans: list[Received] = []
        self._came = threading.Condition()
        self._server: grpc.Server | None = None
        self.address = "127.0.0.1:0"

    @property
    def endpoint(self) -> str:
        """What exporters are told."""
        return f"http://{self.address}"

    def start(self) -> None:
        """Listen, at the same address as before if there was one."""
        self._server = grpc.server(ThreadPoolExecutor(2))
        add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add(self, self._server)
        host, _, _ = self.address.rpartition(":")
        self.address = f"{host}:{self._server.add_insecure_port(self.address)}"
        self._server.start()

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def Export(self, request: Any, context: Any) -> Any:
        with self._came:
            self._spans.extend(_received(request))
            self._came.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self, wanted: Callable[[Sequence[Received]], bool], *, within_s: float = 20.0) -> list[Received]:
        """All spans so far, as soon as they are as wanted."""
        with self._came:
            enough = self._came.wait_for(lambda: wanted(self._spans), within_s)
            assert enough, f"after {within_s:g} s there are only {sorted(span.name for span in self._spans)}"
            return list(self._spans)


def _received(request: Any) -> list[Received]:
    found = []
    for resource in request.resource_spans:
        facts = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        for scope in resource.scope_spans:
            found += [_span(span, service=facts.get("service.name", "")) for span in scope.spans]
    return found


def _span(span: Any, *, service: str) -> Received:
    return Received(
        name=span.name,
        service=service,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        began_s=span.start_time_unix_nano / 1e9,
        ended_s=span.end_time_unix_nano / 1e9,
        attributes={pair.key: _value(pair.value) for pair in span.attributes},
        error=span.status.message,
    )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
