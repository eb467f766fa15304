"""Orders to a worker that opened a gRPC stream to its owner, such as a pod.

Whatever is sent in one pass of the event loop, or while the last batch is on its way, goes out as one batch.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport
from flyteplane.foundation.batcher import Batcher


class Reports(Protocol):
    """A message of the stream."""

    @property
    def reports(self) -> Sequence[WorkerReport]: ...


class Listener(Protocol):
    """Who the worker speaks to."""

    def received(self, reports: Sequence[WorkerReport]) -> None:
        """The worker said something."""


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

    async def read(self, session: Listener, first: Reports, later: AsyncIterator[Reports]) -> None:
        """Pass on what the worker says, message by message; the channel closes with the stream."""
        try:
            session.received(first.reports)
            async for message in later:
                session.received(message.reports)
        finally:
            self.close()

    def __aiter__(self) -> AsyncIterator[Sequence[WorkerOrder]]:
        """Batches of orders until the channel is closed."""
        return aiter(self._orders)
