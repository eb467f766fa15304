"""A queue whose reader takes everything that has come since it last looked.

It makes batches without waiting for them: an idle reader gets the first item at once, a busy one gets whatever queued
in the meantime as one list. One reader, any number of writers, all on one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Generic, TypeVar

from flyteplane.foundation.errors import ResourceExhausted, Unavailable

T = TypeVar("T")


class Batcher(Generic[T]):
    """A coalescing queue.

    Args:
        name: says in errors which queue is full or closed.
        most: the longest list that the reader is given.
        capacity: how many items may wait; 0 for no limit.
    """

    def __init__(self, name: str = "queue", *, most: int = 500, capacity: int = 0) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, not {most}")
        self._name = name
        self._most = most
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def closed(self) -> bool:
        return self._closed

    def put_nowait(self, item: T) -> None:
        """Add an item. Raises ResourceExhausted when `capacity` items wait, Unavailable after `close`."""
        if self._closed or (self._capacity and len(self._items) >= self._capacity):
            raise self._refusal()
        self._items.append(item)
        if self._reader is not None:
            self._wake_reader()

    def put_many_nowait(self, items: Iterable[T]) -> None:
        """Add several items, all or none. Raises as `put_nowait` does."""
        batch = list(items)
        if self._closed or (self._capacity and len(self._items) + len(batch) > self._capacity):
            raise self._refusal()
        self._items.extend(batch)
        if batch and self._reader is not None:
            self._wake_reader()

    async def put(self, item: T) -> None:
        """Add an item as soon as there is room. Raises Unavailable after `close`."""
        while self._capacity and len(self._items) >= self._capacity and not self._closed:
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._writers.append(room)
            try:
                await room
            except asyncio.CancelledError:
                if room.done() and not room.cancelled():
                    self._wake_writers(1)
                raise
        self.put_nowait(item)

    async def take(self) -> list[T]:
        """Everything that waits, the oldest first, at least one item and at most `most`. Empty only after `close`."""
        while not self._items:
            if self._closed:
                return []
            if self._reader is not None:
                raise RuntimeError(f"{self._name} has a reader already")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.take_nowait()

    def take_nowait(self) -> list[T]:
        """Everything that waits, at most `most`; empty when nothing does."""
        if len(self._items) <= self._most:
            batch = list(self._items)
            self._items.clear()
        else:
            batch = [self._items.popleft() for _ in range(self._most)]
        if self._writers:
            self._wake_writers(len(batch))
        return batch

    async def __aiter__(self) -> AsyncIterator[list[T]]:
        while batch := await self.take():
            yield batch

    def close(self) -> None:
        """Take no more. The reader is given what waits, and then an empty list."""
        self._closed = True
        self._wake_reader()
        self._wake_writers(len(self._writers))

    def _refusal(self) -> ResourceExhausted | Unavailable:
        if self._closed:
            return Unavailable(f"{self._name} is closed", reason="QUEUE_CLOSED")
        return ResourceExhausted(
            f"{self._name} is full", reason="QUEUE_FULL", limit=f"{self._capacity} items", retry_after_s=0.1
        )

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wake_writers(self, most: int) -> None:
        while most > 0 and self._writers:
            writer = self._writers.popleft()
            if not writer.done():
                writer.set_result(None)
                most -= 1
