"""What is seen of every call: its count and status, its latency, its place in a trace, and what it is about in logs.

The outermost interceptor of every listener. A call costs some microseconds; calls inside of a process do not pass here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import grpc

from flyte.spec.trace_context import TRACE_PARENT, TraceContext
from flyteplane.foundation.clock import Clock, SystemClock
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.observe.logs import set_call_facts
from flyteplane.observe.metrics import Distribution, DistributionReading, Reading
from flyteplane.observe.spans import NoSpans, Span, Spans, set_current_trace
from flyteplane.rpc.handlers import Behaviour, Handler, answer_once, answer_stream, behaviour_of, with_behaviour
from flyteplane.rpc.request_facts import facts_of

if TYPE_CHECKING:
    from flyteplane.rpc.interceptors import Continuation

#: Methods that are told apart: whoever calls names that do not exist must not fill the memory.
MOST_METHODS: Final = 500
_OTHER: Final = "/other/other"
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


class RpcObservation(grpc.aio.ServerInterceptor):
    """See the module. One for all listeners of a process."""

    def __init__(self, *, spans: Spans | None = None, clock: Clock | None = None, ids: IdSource | None = None) -> None:
        self._spans = spans or NoSpans()
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self._calls: dict[tuple[str, str], int] = {}
        self._latencies: dict[str, Distribution] = {}
        self._methods: set[str] = set()

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler: Handler | None = await continuation(handler_call_details)
        if handler is None:
            return None
        method, trace = handler_call_details.method, _trace_of(handler_call_details)
        if handler.response_streaming:
            return with_behaviour(handler, self._see_stream(behaviour_of(handler), method, trace))
        return with_behaviour(handler, self._see_once(behaviour_of(handler), method, trace))

    def readings(self) -> Iterator[Reading | DistributionReading]:
        """What was counted."""
        for (method, status), count in self._calls.items():
            labels = {**_labels(method), "status": status}
            yield Reading("rpc_calls", "Calls that have ended, by method and status.", count, labels, grows=True)
        for method, latencies in self._latencies.items():
            words = "Time to the answer of calls that are answered once."
            yield DistributionReading("rpc_seconds", words, latencies, _labels(method))

    def _see_once(self, behaviour: Behaviour, method: str, trace: TraceContext | None) -> Behaviour:
        async def seen(request: Any, context: Any) -> Any:
            began, at = self._clock.monotonic(), self._clock.now()
            own = self._enter(method, request, trace)
            status = "UNKNOWN"
            try:
                answer = await answer_once(behaviour, request, context)
                status = _status(context, "OK")
                return answer
            except asyncio.CancelledError:
                status = "CANCELLED"
                raise
            except BaseException:
                status = _status(context, status)
                raise
            finally:
                took = self._clock.monotonic() - began
                known = self._count(method, status)
                self._latency_of(known).observe(took)
                if own is not None and trace is not None:
                    self._tell(method, status, own, trace, at=at, took=took)

        return seen

    def _see_stream(self, behaviour: Behaviour, method: str, trace: TraceContext | None) -> Behaviour:
        async def seen(request: Any, context: Any) -> None:
            self._enter(method, request, trace, spans=False)
            status = "UNKNOWN"
            try:
                await answer_stream(behaviour, request, context)
                status = _status(context, "OK")
            except asyncio.CancelledError:
                status = "CANCELLED"
                raise
            except BaseException:
                status = _status(context, status)
                raise
            finally:
                self._count(method, status)

        return seen

    def _enter(
        self, method: str, request: Any, trace: TraceContext | None, *, spans: bool = True
    ) -> TraceContext | None:
        """Say what this task works on; returns the span of the call, if it is to have one."""
        set_call_facts(lambda: facts_of(method, request, trace))
        if trace is None:
            return None
        if not (spans and trace.sampled and self._spans.wanted):
            set_current_trace(trace)
            return None
        span_id = hashlib.sha256(self._ids.unique().encode()).hexdigest()[:16]
        own = TraceContext(trace.trace_id, span_id)
        set_current_trace(own)
        return own

    def _tell(
        self, method: str, status: str, own: TraceContext, trace: TraceContext, *, at: float, took: float
    ) -> None:
        service, _, name = method.strip("/").partition("/")
        span = Span(
            name=method.strip("/"),
            context=own,
            parent=trace.span_id,
            began=at,
            ended=at + took,
            kind="server",
            error="" if status == "OK" else status,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": name, "rpc.status": status},
        )
        self._spans.offer(lambda: (span,))

    def _count(self, method: str, status: str) -> str:
        if method not in self._methods:
            if len(self._methods) >= MOST_METHODS:
                method = _OTHER
            self._methods.add(method)
        key = (method, status)
        self._calls[key] = self._calls.get(key, 0) + 1
        return method

    def _latency_of(self, method: str) -> Distribution:
        found = self._latencies.get(method)
        if found is None:
            found = self._latencies[method] = Distribution()
        return found


class LateObservation(grpc.aio.ServerInterceptor):
    """The place of an observation that may be given after the server was made; until then calls pass unseen."""

    def __init__(self) -> None:
        self.target: RpcObservation | None = None

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        if self.target is None:
            return await continuation(handler_call_details)
        return await self.target.intercept_service(continuation, handler_call_details)


def _trace_of(details: grpc.HandlerCallDetails) -> TraceContext | None:
    for key, value in details.invocation_metadata or ():
        if key == TRACE_PARENT and isinstance(value, str):
            return TraceContext.parse(value)
    return None


def _labels(method: str) -> dict[str, str]:
    service, _, name = method.strip("/").partition("/")
    return {"service": service, "method": name}


def _status(context: Any, otherwise: str) -> str:
    """The status that was set, in whichever of its forms; `otherwise` if none was."""
    code = context.code()
    if not code:
        return otherwise
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code, "UNKNOWN")
