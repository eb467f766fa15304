"""One worker process as the platform holds it: its stream, its output pipe, and how it ended.

A worker has ended for its owner only when three things have: the process, its stream and its output. Whoever holds
the pipe open after the process is dead belongs to its group and is killed, so the end always comes; and it is
reported once.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final

from google.protobuf.message import DecodeError

from flyte.spec.frames import FrameDecoder, FrameTooLargeError, encode_frame
from flyteapi.scheduler.v1.worker_service_pb2 import SessionRequest, SessionResponse, WorkerOrder
from flyteplane.cluster.batches import batches
from flyteplane.cluster.ports import WorkerExit, WorkerSink
from flyteplane.observe import get_logger

_log = get_logger("cluster")

#: Read at a time.
_READ_BYTES: Final = 1 << 18
#: Inputs of a usual size go into the socket whole, without waiting for the worker.
_SEND_BUFFER_BYTES: Final = 1 << 20
#: How long output may keep coming after the process is dead.
_DRAIN_S: Final = 2.0


class WorkerProcess:
    """A started worker.

    Args:
        name: of the worker.
        sink: who started it.
        first_frame: sent before any order.
        stream_ended: called when the worker's stream has ended while its process may still run.
        gone: called once, when process, stream and output have all ended.
    """

    def __init__(
        self,
        name: str,
        sink: WorkerSink,
        *,
        first_frame: bytes,
        stream_ended: Callable[[WorkerProcess], None],
        gone: Callable[[WorkerProcess], None],
    ) -> None:
        self.name = name
        self.sink = sink
        self.pid = 0
        self.started_at: int | None = None
        self.exit: WorkerExit | None = None
        self.closed: asyncio.Event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._stream_ended = stream_ended
        self._gone = gone
        self._decoder = FrameDecoder()
        self._unsent = bytearray(encode_frame(first_frame))
        self._blocked = False
        """The socket takes no more for the moment."""
        self._connection: socket.socket | None = None
        self._output = -1
        self._drain_timer: asyncio.TimerHandle | None = None

    def open(self) -> tuple[int, int]:
        """Makes stream and pipe; returns the worker's ends. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            read, write = os.pipe2(os.O_CLOEXEC)
        except OSError:
            ours.close()
            theirs.close()
            raise
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        os.set_blocking(read, False)
        self._connection, self._output = ours, read
        self._loop.add_reader(ours, self._stream_readable)
        self._loop.add_reader(read, self._output_readable)
        self._write()
        return theirs.detach(), write

    def send(self, orders: Sequence[WorkerOrder]) -> None:
        """Sends orders as one frame, at once: whoever has several gives them together."""
        if self._connection is None or not orders:
            return
        for batch in batches(orders):
            self._unsent += encode_frame(SessionResponse(orders=batch).SerializeToString())
        if not self._blocked:
            self._write()

    def close(self) -> None:
        """Ends the stream, upon which the worker kills its process group."""
        if self._connection is None:
            return
        self._write()
        self._close_stream()
        self._stream_ended(self)
        self._finish_if_over()

    def ended(self, exit: WorkerExit) -> None:
        """The process has ended; what it has said and written may still be on its way."""
        if self.exit is not None:
            return
        self.exit = exit
        self._drain_timer = self._loop.call_later(_DRAIN_S, self._stop_draining)
        self._finish_if_over()

    @property
    def stream_open(self) -> bool:
        """Whether the worker can still be spoken to."""
        return self._connection is not None

    def _write(self) -> None:
        while self._unsent and self._connection is not None:
            try:
                sent = self._connection.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                self._blocked = True
                self._loop.add_writer(self._connection, self._write)
                return
            except OSError:
                # The worker is gone; its reader hears it too.
                sent = len(self._unsent)
            del self._unsent[:sent]
        if self._blocked and self._connection is not None:
            self._blocked = False
            self._loop.remove_writer(self._connection)

    def _stream_readable(self) -> None:
        assert self._connection is not None
        try:
            data = self._connection.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        try:
            for frame in self._decoder.feed(data):
                self.sink.received(self.name, SessionRequest.FromString(frame).reports)
        except (FrameTooLargeError, DecodeError) as error:
            _log.error("worker_breaks_protocol", worker=self.name, problem=str(error))
            data = b""
        if not data and self._connection is not None:
            self._close_stream()
            self._stream_ended(self)
            self._finish_if_over()

    def _close_stream(self) -> None:
        if self._connection is not None:
            self._loop.remove_reader(self._connection)
            self._loop.remove_writer(self._connection)
            self._connection.close()
            self._connection = None

    def _output_readable(self) -> None:
        try:
            data = os.read(self._output, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            self.sink.output(self.name, data)
            return
        self._close_output()
        self._finish_if_over()

    def _close_output(self) -> None:
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1

    def _stop_draining(self) -> None:
        _log.warning("output_held_open_after_worker", worker=self.name)
        self._close_stream()
        self._close_output()
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self.exit is None or self._connection is not None or self._output >= 0 or self.closed.is_set():
            return
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        self.closed.set()
        self._gone(self)


def exit_of_status(name: str, status: int, *, out_of_memory: bool) -> WorkerExit:
    """How a worker ended, from its wait status, which says all that is known."""
    if os.WIFSIGNALED(status):
        return WorkerExit(name=name, signal=os.WTERMSIG(status), out_of_memory=out_of_memory)
    code = os.WEXITSTATUS(status)
    return WorkerExit(name=name, exit_code=code, out_of_memory=out_of_memory and code != 0)
