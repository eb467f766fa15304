"""The stream of a worker that opened it to its owner over gRPC, such as a pod.

Whatever is sent in one pass of the event loop, or while the last batch is on its way, goes out as one batch. A stream
that breaks does not end the worker: it has the rest of its contact time to come back on a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

from flyteapi.scheduler.v1.worker_service_pb2 import Hello, WorkerOrder, WorkerReport
from flyteplane.cluster.batches import batches
from flyteplane.foundation.batcher import Batcher
from flyteplane.foundation.errors import FailedPrecondition


class Reports(Protocol):
    """A message of the stream."""

    @property
    def reports(self) -> Sequence[WorkerReport]: ...


class Session(Protocol):
    """One stream of one worker, as the side that it speaks to sees it."""

    def received(self, reports: Sequence[WorkerReport]) -> None:
        """The worker said something."""

    def closed(self) -> None:
        """The stream has ended."""


class StreamChannel:
    """Implements `WorkerChannel`. Whoever iterates over it sends what comes."""

    def __init__(self) -> None:
        self._orders: Batcher[WorkerOrder] = Batcher("orders to a worker")

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """See the port."""
        if not self._orders.closed:
            self._orders.put_many_nowait(orders)

    def close(self) -> None:
        """See the port."""
        self._orders.close()

    async def read(self, session: Session, first: Reports, later: AsyncIterator[Reports]) -> None:
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


class Sessions(Protocol):
    """The side that workers speak to."""

    def open(self, hello: Hello, channel: StreamChannel) -> Session:
        """A worker has said Hello. Raises PlatformError for one that is not wanted."""


async def converse(requests: AsyncIterable[Reports], sessions: Sessions) -> AsyncGenerator[Sequence[WorkerOrder], None]:
    """Serve one stream: pass on what the worker says, and give what it is told, each piece fit for one message.

    Raises FailedPrecondition for a stream that does not begin with a Hello, and what opening the session raises.
    """
    messages = aiter(requests)
    first = await anext(messages, None)
    if first is None or not first.reports or first.reports[0].WhichOneof("report") != "hello":
        raise FailedPrecondition("the first report of a stream is a Hello", reason="HELLO_MISSING")
    channel = StreamChannel()
    session = sessions.open(first.reports[0].hello, channel)
    reader = asyncio.ensure_future(channel.read(session, first, messages))
    try:
        async for orders in channel:
            for batch in batches(orders):
                yield batch
        if reader.done():
            reader.result()
    finally:
        reader.cancel()
        session.closed()
