"""flyteapi.reuse_pool.v1.ReplicaService: replicas that speak over the network, such as pods.

The stream carries the same messages as the socket that a local replica inherits. A stream that breaks does not end
the replica: it has the rest of its lease to come back on a new one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest, ReplicaResponse
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceServicer
from flyteplane.cluster.stream_channel import StreamChannel
from flyteplane.foundation.errors import FailedPrecondition, Unauthenticated
from flyteplane.reuse_pool.application.ports import ReplicaTokens
from flyteplane.reuse_pool.application.reuse_pool import ReusePool


class ReplicaServicer(ReplicaServiceServicer):
    """Streams of replicas."""

    def __init__(self, reuse_pool: ReusePool, *, tokens: ReplicaTokens | None) -> None:
        self._reuse_pool = reuse_pool
        self._tokens = tokens

    async def Replica(self, request_iterator: Any, context: Any) -> AsyncIterator[ReplicaResponse]:
        """One stream of one replica; its first report is a Hello with its token."""
        requests = aiter(request_iterator)
        first: ReplicaRequest = await anext(requests, ReplicaRequest())
        name = self._name_of(first)
        channel = StreamChannel()
        replicas = self._reuse_pool.replicas
        replicas.opened(name, channel)
        reader = asyncio.ensure_future(self._read(name, first, requests, channel))
        try:
            async for orders in channel:
                yield ReplicaResponse(orders=orders)
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
            replicas.closed(name, channel)

    def _name_of(self, first: ReplicaRequest) -> str:
        """The replica that says Hello. Raises Unauthenticated, FailedPrecondition."""
        if not first.reports or first.reports[0].WhichOneof("report") != "hello":
            raise FailedPrecondition("the first report of a stream is a Hello", reason="HELLO_MISSING")
        if self._tokens is None:
            raise Unauthenticated("this platform has no replicas over the network", reason="REPLICA_TOKEN")
        name = self._tokens.replica_of(first.reports[0].hello.token)
        if self._reuse_pool.session(name) is None:
            raise FailedPrecondition(f"replica {name} was given up", reason="REPLICA_GIVEN_UP", mend="Exit.")
        return name

    async def _read(
        self, name: str, first: ReplicaRequest, requests: AsyncIterator[ReplicaRequest], channel: StreamChannel
    ) -> None:
        try:
            self._reuse_pool.replicas.received(name, first.reports)
            async for request in requests:
                self._reuse_pool.replicas.received(name, request.reports)
        finally:
            channel.close()
