"""flyteapi.reuse_pool.v1.ReplicaService: replicas that speak over the network, such as pods.

The stream carries the same messages as the socket that a local replica inherits.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest, ReplicaResponse
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceServicer
from flyteplane.cluster.stream_channel import converse
from flyteplane.reuse_pool.application.replica_sessions import ReplicaSessions
from flyteplane.rpc.context import Context


class ReplicaServicer(ReplicaServiceServicer):
    """Serves `ReplicaService`."""

    def __init__(self, sessions: ReplicaSessions) -> None:
        self._sessions = sessions

    async def Replica(
        self, request_iterator: AsyncIterator[ReplicaRequest], context: Context
    ) -> AsyncIterator[ReplicaResponse]:
        """See the proto."""
        async with aclosing(converse(request_iterator, self._sessions)) as batches:
            async for orders in batches:
                yield ReplicaResponse(orders=orders)
