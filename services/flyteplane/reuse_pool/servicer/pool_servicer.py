"""flyteapi.reuse_pool.v1.ReusePoolService."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    AssignRequest,
    AssignResponse,
    DrainPoolRequest,
    DrainPoolResponse,
    GetPoolRequest,
    GetPoolResponse,
    ListPoolsRequest,
    ListPoolsResponse,
    Pool,
    ResizePoolRequest,
    ResizePoolResponse,
    WatchPoolsRequest,
    WatchPoolsResponse,
)
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceServicer
from flyteplane.reuse_pool.application.outbox import Outbox
from flyteplane.reuse_pool.application.reuse_pool import ReusePool
from flyteplane.reuse_pool.servicer.pool_messages import pool_message
from flyteplane.rpc.context import Context
from flyteplane.rpc.list_pages import list_page


class PoolServicer(ReusePoolServiceServicer):
    """Assignment for the scheduler, administration for people."""

    def __init__(self, reuse_pool: ReusePool) -> None:
        self._reuse_pool = reuse_pool

    async def Assign(self, request_iterator: Any, context: Context) -> AsyncIterator[AssignResponse]:
        """Relay until the scheduler ends the stream, or opens another one."""
        requests = aiter(request_iterator)
        first: AssignRequest = await anext(requests, AssignRequest())
        await self._reuse_pool.scheduler.admit(first.epoch)
        outbox = self._reuse_pool.scheduler.attach()
        reader = asyncio.ensure_future(self._read(requests, outbox))
        try:
            while messages := await outbox.take():
                for message in messages:
                    yield message
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
            self._reuse_pool.scheduler.detach(outbox)

    async def _read(self, requests: AsyncIterator[AssignRequest], outbox: Outbox) -> None:
        try:
            async for request in requests:
                self._reuse_pool.scheduler.receive(request)
        finally:
            outbox.close()

    async def ListPools(self, request: ListPoolsRequest, context: Context) -> ListPoolsResponse:
        """Pools with live figures, a page of them."""
        pools = self._reuse_pool.list_pools(project=request.scope.project, domain=request.scope.domain)
        page = list_page(
            [pool_message(pool, self._reuse_pool) for pool in pools],
            name=lambda pool: pool.pool,
            size_bytes=Pool.ByteSize,
            asked=request.page_size,
            token=request.page_token,
        )
        return ListPoolsResponse(pools=page.entries, next_page_token=page.next_token)

    async def WatchPools(self, request: WatchPoolsRequest, context: Context) -> AsyncIterator[WatchPoolsResponse]:
        """When figures of pools have changed."""
        async with aclosing(self._reuse_pool.changes()) as changes:
            async for _ in changes:
                yield WatchPoolsResponse()

    async def GetPool(self, request: GetPoolRequest, context: Context) -> GetPoolResponse:
        """One pool."""
        return GetPoolResponse(pool=pool_message(self._reuse_pool.get_pool(request.pool), self._reuse_pool))

    async def DrainPool(self, request: DrainPoolRequest, context: Context) -> DrainPoolResponse:
        """Finish what runs, then remove the pool."""
        return DrainPoolResponse(pool=pool_message(self._reuse_pool.drain_pool(request.pool), self._reuse_pool))

    async def ResizePool(self, request: ResizePoolRequest, context: Context) -> ResizePoolResponse:
        """Change the bounds of a living pool."""
        pool = self._reuse_pool.resize_pool(
            request.pool, min_replicas=request.min_replicas, max_replicas=request.max_replicas
        )
        return ResizePoolResponse(pool=pool_message(pool, self._reuse_pool))
