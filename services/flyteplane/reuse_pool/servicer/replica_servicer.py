"""flyteapi.reuse_pool.v1.ReplicaService: replicas that speak over the network, such as pods.

The stream carries the same messages as the socket that a local replica inherits. A stream that breaks does not end
the replica: it has the rest of its contact time to come back on a new one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest, ReplicaResponse
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceServicer
from flyteplane.cluster.batches import batches
from flyteplane.cluster.stream_channel import StreamChannel
from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.reuse_pool.application.replica_sessions import ReplicaSessions


class ReplicaServicer(ReplicaServiceServicer):
    """Streams of replicas."""

    def __init__(self, sessions: ReplicaSessions) -> None:
        self._sessions = sessions

    async def Replica(self, request_iterator: Any, context: Any) -> AsyncIterator[ReplicaResponse]:
        """One stream of one replica; its first report is a Hello with its token."""
        requests = aiter(request_iterator)
        first: ReplicaRequest = await anext(requests, ReplicaRequest())
        if not first.reports or first.reports[0].WhichOneof("report") != "hello":
            raise FailedPrecondition("the first report of a stream is a Hello", reason="HELLO_MISSING")
        channel = StreamChannel()
        session = self._sessions.open(first.reports[0].hello, channel)
        reader = asyncio.ensure_future(channel.read(session, first, requests))
        try:
            async for orders in channel:
                for batch in batches(orders):
                    yield ReplicaResponse(orders=batch)
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
            session.closed()
