"""Calls of traced functions: reported as they end, and given back when an attempt before has made the same call."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from flyte.authoring.controller import TraceCall, TraceOutcome
from flyte.runner.payloads import inline_payload, read_payload, store_payload
from flyte.runner.stream import WorkerStream
from flyteapi.scheduler.v1.worker_service_pb2 import TraceRecord, WorkerReport
from flyteapi.task.v1.value_pb2 import Payload

_VALUE, _ITEM = "value", "item"


class TraceJournal:
    """The traced calls of one attempt.

    Args:
        known: what attempts before have recorded, in order.
        data_prefix: where large values are kept; ends in "/".
    """

    def __init__(self, stream: WorkerStream, *, lease: int, data_prefix: str, known: Iterable[TraceRecord]) -> None:
        self._stream = stream
        self._lease = lease
        self._data_prefix = data_prefix
        self._known: dict[tuple[str, bytes], deque[TraceRecord]] = defaultdict(deque)
        for record in known:
            self._known[record.name, _digest(read_payload(record.inputs))].append(record)

    def recall(self, call: TraceCall) -> TraceOutcome | None:
        """The outcome of this very call in an attempt before; each recorded call is given back once."""
        if not self._known:
            return None
        from flyte.types.untyped_values import decode_untyped, encode_untyped

        records = self._known.get((call.name, _digest(encode_untyped(call.inputs.items()))))
        if not records:
            return None
        value, *items = decode_untyped(read_payload(records.popleft().outputs))
        return TraceOutcome(value=value, items=tuple(items))

    def record(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Reports a call that has ended."""
        from flyte.types.untyped_values import encode_untyped

        now = Timestamp()
        now.FromNanoseconds(time.time_ns())
        values = ((_VALUE, outcome.value), *((_ITEM, item) for item in outcome.items))
        record = TraceRecord(
            name=call.name,
            inputs=self._payload(encode_untyped(call.inputs.items())),
            outputs=self._payload(encode_untyped(values)),
            end_time=now,
        )
        if call.began_ns:
            record.start_time.FromNanoseconds(call.began_ns)
        self._stream.send(WorkerReport(lease=self._lease, trace=record))

    def _payload(self, data: bytes) -> Payload:
        return inline_payload(data) or store_payload(data, f"{self._data_prefix}traces/{_digest(data).hex()}")


def _digest(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).digest()
