"""Orders on their way to the reuse pool.

Everything that is ordered while the stream's last message is under way goes out as the next one. An order is written
where it is sent from: with inputs in it, a copy costs as much as all the rest of it.
"""

import asyncio
from collections import deque
from typing import Final

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import AssignRequest, PoolOrder

#: Orders of one message: with the largest inputs in each it is half of what processes of a platform send each other.
MOST_ORDERS: Final = 500


class PoolOrders:
    """The scheduler's end of one Assign stream after another. One reader."""

    def __init__(self) -> None:
        self._full: deque[AssignRequest] = deque()
        self._request = AssignRequest()
        self._orders = self._request.orders
        self._reader: asyncio.Future[None] | None = None
        self.closed = False

    def add(self) -> PoolOrder:
        """A new order behind all others, to be filled in before the loop goes on."""
        if len(self._orders) >= MOST_ORDERS:
            self._full.append(self._cut())
        if self._reader is not None:
            self._wake()
        return self._orders.add()

    async def take(self) -> AssignRequest | None:
        """The orders that wait, the oldest first, at most `MOST_ORDERS`; None once closed."""
        while not self._orders:
            if self.closed:
                return None
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._full.popleft() if self._full else self._cut()

    def clear(self) -> None:
        """Drops what waits."""
        self._full.clear()
        self._cut()

    def close(self) -> None:
        """Takes no more; the reader is given what waits."""
        self.closed = True
        self._wake()

    def _cut(self) -> AssignRequest:
        request, self._request = self._request, AssignRequest()
        self._orders = self._request.orders
        return request

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
