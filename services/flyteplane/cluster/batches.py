"""Orders cut into messages of a size that every transport takes."""

from collections.abc import Iterator, Sequence
from typing import Final

from flyte.spec.limits import INLINE_ON_STREAM_BYTES
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder

#: Orders that are sent as one frame; a frame is finished once it is longer.
_BATCH_BYTES: Final = 4 << 20


def batches(orders: Sequence[WorkerOrder]) -> Iterator[Sequence[WorkerOrder]]:
    """Cuts what is to be sent at once into pieces that are far shorter than the longest frame."""
    if len(orders) * INLINE_ON_STREAM_BYTES < _BATCH_BYTES:
        yield orders
        return
    start, size_bytes = 0, 0
    for end, order in enumerate(orders, start=1):
        size_bytes += order.ByteSize()
        if size_bytes >= _BATCH_BYTES:
            yield orders[start:end]
            start, size_bytes = end, 0
    if start < len(orders):
        yield orders[start:]
