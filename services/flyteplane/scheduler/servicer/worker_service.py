"""flyteapi.scheduler.v1.WorkerService: the streams of workers in pods. Translates, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from flyteapi.scheduler.v1.worker_service_pb2 import SessionRequest, SessionResponse
from flyteapi.scheduler.v1.worker_service_pb2_grpc import WorkerServiceServicer
from flyteplane.cluster.stream_channel import Sessions, converse
from flyteplane.rpc.context import Context


class WorkerServicer(WorkerServiceServicer):
    """Serves `WorkerService`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def Session(
        self, request_iterator: AsyncIterator[SessionRequest], context: Context
    ) -> AsyncIterator[SessionResponse]:
        """See the proto."""
        async with aclosing(converse(request_iterator, self._sessions)) as batches:
            async for orders in batches:
                yield SessionResponse(orders=orders)
