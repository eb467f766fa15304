"""flyteapi.scheduler.v1.WorkerService: the streams of workers in pods. Translates, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from flyteapi.scheduler.v1.worker_service_pb2 import SessionRequest, SessionResponse
from flyteapi.scheduler.v1.worker_service_pb2_grpc import WorkerServiceServicer
from flyteplane.cluster.batches import batches
from flyteplane.cluster.stream_channel import StreamChannel
from flyteplane.foundation.errors import FailedPrecondition

if TYPE_CHECKING:
    from flyteplane.scheduler.clients.worker_sessions import WorkerSessions


class WorkerServicer(WorkerServiceServicer):
    """Serves `WorkerService`."""

    def __init__(self, sessions: WorkerSessions) -> None:
        self._sessions = sessions

    async def Session(self, request_iterator: Any, context: Any) -> AsyncIterator[SessionResponse]:
        """See the proto."""
        requests = aiter(request_iterator)
        first: SessionRequest = await anext(requests, SessionRequest())
        if not first.reports or first.reports[0].WhichOneof("report") != "hello":
            raise FailedPrecondition("the first report of a stream is a Hello", reason="HELLO_MISSING")
        channel = StreamChannel()
        session = self._sessions.open(first.reports[0].hello, channel)
        reader = asyncio.ensure_future(channel.read(session, first, requests))
        try:
            async for orders in channel:
                for batch in batches(orders):
                    yield SessionResponse(orders=batch)
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
            session.closed()
