"""Spans to a collector over OTLP, from a thread of its own.

Whoever offers spans pays for one append. A collector that is slow or down costs nothing more: what waits is bounded,
what has no room is dropped, both are counted. Nothing is tried twice by us; the OTLP client retries within its timeout.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from flyteplane.observe.logs import get_logger
from flyteplane.observe.metrics import Reading

if TYPE_CHECKING:
    from flyteplane.observe.spans import MakeSpans, Span

_log = get_logger("observe.export")

#: Offers that may wait: an offer is what is known of one action or call, a handful of spans.
MOST_WAITING: Final = 8192
#: Offers that go out as one message.
BATCH: Final = 256
#: Spans are collected for so long after the first of a message.
COLLECT_S: Final = 0.5
#: The OTLP client gives a message up after this.
SEND_WITHIN_S: Final = 5.0
#: A platform that stops waits this long for what is still to be sent.
FLUSH_WITHIN_S: Final = 1.0


class Send(Protocol):
    """Sends spans; False when they could not be delivered. Runs on the exporter's thread and may block."""

    def __call__(self, spans: list[Span], /) -> bool: ...


class ExportedSpans:
    """See `spans.Spans`.

    Args:
        send: how spans leave this process.
        stop_sending: called at the end, from another thread than `send`: has a call that blocks return.
    """

    wanted: Final = True

    def __init__(self, send: Send, *, stop_sending: Any = lambda: None, most_waiting: int = MOST_WAITING) -> None:
        self._send = send
        self._stop_sending = stop_sending
        self._most_waiting = most_waiting
        self._waiting: deque[MakeSpans] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._reachable = True
        self.exported = 0
        self.dropped_offers = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._run, name="span exporter", daemon=True)
        self._thread.start()

    def offer(self, make: MakeSpans) -> None:
        """See the port."""
        if len(self._waiting) >= self._most_waiting:
            self.dropped_offers += 1
            return
        self._waiting.append(make)
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Send what waits, if that is quickly done. Blocks for `FLUSH_WITHIN_S` at most."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(FLUSH_WITHIN_S)
        self._stop_sending()

    def readings(self) -> Iterator[Reading]:
        """How the export goes."""
        yield Reading("spans_exported", "Spans that the collector has taken.", self.exported, grows=True)
        yield Reading(
            "spans_dropped",
            "Spans, or what they would have been made of, that were thrown away.",
            self.dropped_offers,
            {"reason": "queue_full"},
            grows=True,
        )
        yield Reading("spans_dropped", "", self.failed, {"reason": "collector"}, grows=True)
        yield Reading("spans_waiting", "Offers that wait to be sent.", len(self._waiting))

    def _run(self) -> None:
        while not (self._stopping.is_set() and not self._waiting):
            self._wake.wait()
            # Cleared before looking: what is offered after the look sets it again.
            self._wake.clear()
            if not self._stopping.is_set():
                self._stopping.wait(COLLECT_S)
            while self._waiting:
                self._send_some()

    def _send_some(self) -> None:
        spans: list[Span] = []
        for _ in range(min(BATCH, len(self._waiting))):
            make = self._waiting.popleft()
            try:
                spans.extend(make())
            except Exception:
                self.failed += 1
                _log.error("span_not_made", exc_info=True)
        delivered = self._delivered(spans)
        if delivered:
            self.exported += len(spans)
        else:
            self.failed += len(spans)
        if delivered is not self._reachable:
            self._reachable = delivered
            _log.warning("trace_collector_answers_again" if delivered else "trace_collector_unreachable")

    def _delivered(self, spans: list[Span]) -> bool:
        try:
            return not spans or self._send(spans)
        except Exception:
            _log.error("spans_not_sent", exc_info=True)
            return False
