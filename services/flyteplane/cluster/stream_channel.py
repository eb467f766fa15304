"""Orders to a worker that opened a gRPC stream to its owner, such as a pod.

Whatever is sent in one pass of the event loop, or while the last batch is on its way, goes out as one batch.
"""

from collections.abc import AsyncIterator, Sequence

from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder
from flyteplane.foundation.batcher import Batcher


class StreamChannel:
    """Implements `WorkerChannel`. The servicer of the stream iterates over it and sends what comes."""

    def __init__(self) -> None:
        self._orders: Batcher[WorkerOrder] = Batcher("orders to a worker")

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        if not self._orders.closed:
            self._orders.put_many_nowait(orders)

    def close(self) -> None:
        """See the port."""
        self._orders.close()

    def __aiter__(self) -> AsyncIterator[Sequence[WorkerOrder]]:
        """Batches of orders until the channel is closed."""
        return aiter(self._orders)
