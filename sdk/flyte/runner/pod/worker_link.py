"""The agent's end of the worker's stream and of its output, on the agent's loop.

Reading can be paused, so that a task that writes faster than the scheduler takes has to wait as on a full pipe.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from flyte.runner.pod.pausable import PausableReader
from flyte.spec.frames import FrameDecoder, encode_frame
from flyteapi.scheduler.v1.worker_service_pb2 import SessionRequest, SessionResponse, WorkerOrder, WorkerReport

_READ_BYTES: Final = 1 << 18
_BUFFER_BYTES: Final = 1 << 20


class WorkerLink(PausableReader):
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
        super().__init__(connection)
        self._connection = connection
        self._received = received
        self._ended = ended
        self._decoder = FrameDecoder()
        self._unsent = bytearray()

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
        self._read_no_more()
        self._loop.remove_writer(self._connection)
        self._connection.close()


class OutputPipe(PausableReader):
    """What the worker and its processes write to the descriptors themselves.

    Args:
        received: called with each piece.
        ended: called once when nobody holds the pipe any more.
    """

    def __init__(self, descriptor: int, *, received: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        super().__init__(descriptor)
        self._descriptor = descriptor
        self._received = received
        self._ended = ended

    def read_now(self) -> None:
        """Reads what was written by now, also during a pause: a pipe holds less than one read takes."""
        if self.open:
            self._readable()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            self._received(data)
            return
        self._read_no_more()
        os.close(self._descriptor)
        self._ended()
