"""The agent's end of the worker's stream and of its output, on the agent's loop.

Reading can be paused, so that a task that writes faster than the scheduler takes has to wait as on a full pipe.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from flyte.wire.frames import FrameDecoder, encode_frame
from flyteapi.scheduler.v1.worker_service_pb2 import SessionRequest, SessionResponse, WorkerOrder, WorkerReport

_READ_BYTES: Final = 1 << 18
_BUFFER_BYTES: Final = 1 << 20


class WorkerLink:
    """Frames to and from the worker.

    Args:
        received: called with each batch of reports.
        ended: called once when the worker has closed its end.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        received: Callable[[Sequence[WorkerReport]], None],
        ended: Callable[[], None],
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._received = received
        self._ended = ended
        self._decoder = FrameDecoder()
        self._unsent = bytearray()
        self._reading = False
        self.open = True
        """Whether the worker can be heard."""

    def start(self) -> None:
        """Begins to read."""
        self.set_reading(True)

    def set_reading(self, reading: bool) -> None:
        """Reads on, or lets the worker wait."""
        if not self.open or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._loop.add_reader(self._connection, self._readable)
        else:
            self._loop.remove_reader(self._connection)

    def send_frame(self, content: bytes) -> None:
        """Sends anything as one frame."""
        self._unsent += encode_frame(content)
        self._write()

    def send(self, orders: Iterable[WorkerOrder]) -> None:
        """Sends orders; nothing happens if the worker is gone."""
        if self.open:
            self.send_frame(SessionResponse(orders=orders).SerializeToString())

    def _write(self) -> None:
        while self._unsent and self.open:
            try:
                sent = self._connection.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._connection, self._write)
                return
            except OSError:
                # The worker is gone; the reader hears it too.
                sent = len(self._unsent)
            del self._unsent[:sent]
        self._loop.remove_writer(self._connection)

    def _readable(self) -> None:
        try:
            data = self._connection.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        for frame in self._decoder.feed(data):
            self._received(SessionRequest.FromString(frame).reports)
        if not data and self.open:
            self._close()
            self._ended()

    def _close(self) -> None:
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        self.open = False


class OutputPipe:
    """What the worker and its processes write to the descriptors themselves.

    Args:
        received: called with each piece.
        ended: called once when nobody holds the pipe any more.
    """

    def __init__(self, descriptor: int, *, received: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._received = received
        self._ended = ended
        self._reading = False
        self.open = True
        """Whether more may come."""

    def start(self) -> None:
        """Begins to read."""
        self.set_reading(True)

    def set_reading(self, reading: bool) -> None:
        """Reads on, or lets writers wait."""
        if not self.open or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._loop.add_reader(self._descriptor, self._readable)
        else:
            self._loop.remove_reader(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            self._received(data)
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.open = False
        self._ended()
