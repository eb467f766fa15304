"""One direction of a call: messages from one task to another, with backpressure and without copies."""

import asyncio
from collections import deque
from typing import Any, Final

from grpc.aio import EOF

#: Messages that may wait in one direction before the writer has to wait.
MOST_WAITING: Final = 1024


class Lane:
    """A queue with one writer and one reader. Closed by its writer, or broken by the end of the call."""

    __slots__ = ("_closed", "_messages", "_reader", "_writer")

    def __init__(self) -> None:
        self._messages: deque[Any] = deque()
        self._closed = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def closed(self) -> bool:
        return self._closed

    async def send(self, message: Any) -> None:
        """Queue a message; waits while too many wait. Does nothing once the lane is closed."""
        while len(self._messages) >= MOST_WAITING and not self._closed:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer
        if not self._closed:
            self._messages.append(message)
            if self._reader is not None:
                _wake(self._reader)

    async def receive(self) -> Any:
        """The next message; `grpc.aio.EOF` once the lane is closed and empty."""
        while not self._messages:
            if self._closed:
                return EOF
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        message = self._messages.popleft()
        if self._writer is not None and len(self._messages) < MOST_WAITING:
            _wake(self._writer)
            self._writer = None
        return message

    def close(self) -> None:
        """Take no more; what waits can still be received."""
        self._closed = True
        if self._reader is not None:
            _wake(self._reader)
        if self._writer is not None:
            _wake(self._writer)

    def discard(self) -> None:
        """Close, and drop what waits."""
        self._messages.clear()
        self.close()


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
