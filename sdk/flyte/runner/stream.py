"""The worker's end of its stream: reports out in batches, orders in, whoever holds the interpreter.

Three situations have to work. While the loop runs, the loop reads, and all reports of one turn go out as one frame.
While synchronous user code runs (the loop is *at rest*) the pulse thread reads and writes, so that output flows and a
cancellation is heard. Any other thread writes at once. Frames stay whole because only the holder of the write lock
touches the socket, and because the main thread, which signal handlers of user code may interrupt anywhere, writes
only while the loop runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from flyte.spec.frames import FrameDecoder, encode_frame
from flyte.spec.limits import INLINE_ON_STREAM_BYTES
from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    SessionRequest,
    SessionResponse,
    WorkerOrder,
    WorkerReport,
)

_READ_BYTES: Final = 1 << 18
"""Read at a time."""
_SEND_BUFFER_BYTES: Final = 1 << 20
"""Outputs of a usual size go into the socket whole, without waiting for the other side."""
_DRAIN_S: Final = 5.0
"""For the other side to take the last of it; it reads whenever it lives."""
_BATCH_BYTES: Final = 4 << 20
"""Reports that are sent as one frame; a frame is finished once it is longer."""
_MOST_REPORTS_HELD: Final = 32
"""Reports that wait for the end of the turn at most: a parent that calls thousands at once keeps the others busy."""
_MOST_PENDING_BYTES: Final = 4 << 20
"""Output that may wait for the other side; a writer beyond it waits, as it would on a full pipe."""

OrdersReceived = Callable[[Sequence[WorkerOrder]], None]


class StreamEnded(Exception):
    """The other side has closed the stream."""


class WorkerStream:
    """Frames over an inherited socket.

    Args:
        connection: the connected socket; becomes non-blocking.
        loop: the loop on which orders are received while it runs.
        receive: called with each batch of orders, in order; on the loop, or on the pulse thread while at rest.
        ended: called when the other side is gone.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        loop: asyncio.AbstractEventLoop,
        receive: OrdersReceived,
        ended: Callable[[], None],
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._connection = connection
        self._loop = loop
        self._receive = receive
        self._ended = ended
        self._main_thread = threading.get_ident()
        self._decoder = FrameDecoder()
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._pending: list[WorkerReport] = []
        self._pending_output_bytes = 0
        self._begun: dict[int, int] = {}
        """When attempts began of which nothing has been said yet, in nanoseconds, by lease."""
        self._unsent = bytearray()
        self._scheduled = False
        self._scheduled_soon = False
        """The end of this turn is waited for, not that of the next."""
        self._before_flush: dict[Callable[[], None], None] = {}
        self._drained = threading.Condition(self._write_lock)
        self._wake_descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.resting = False
        """Whether synchronous user code has the main thread. Set by `Pulse` only."""

    def fileno(self) -> int:
        """Descriptor of the socket."""
        return self._connection.fileno()

    @property
    def wake_descriptor(self) -> int:
        """Becomes readable when the pulse thread should look at the stream now."""
        return self._wake_descriptor

    @property
    def has_unsent(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return bool(self._unsent)

    def open(self) -> None:
        """Starts to read whenever the loop runs."""
        self._loop.add_reader(self._connection, self._readable)

    def close(self) -> None:
        """Ends the stream."""
        self._loop.remove_reader(self._connection)
        self._connection.close()
        os.close(self._wake_descriptor)

    def begin(self, lease: int, *, time_ns: int) -> None:
        """An attempt begins. A short one ends before this is written; then its end says so too, and the report is
        saved: it would be as much work as the end itself, for everyone who hands it on.
        """
        self._begun[lease] = time_ns
        self._schedule(soon=False)

    def end(self, lease: int, outcome: AttemptEnded) -> None:
        """An attempt has ended."""
        if self._begun.pop(lease, None) is not None:
            outcome.began = True
        self.send(WorkerReport(lease=lease, ended=outcome))

    def send(self, report: WorkerReport, *, soon: bool = True) -> None:
        """Queues a report; from any thread. Without `soon` it waits one more turn of the loop for others to join it."""
        if report.lease in self._begun:
            self._say_begun(report.lease)
        self._pending.append(report)
        self._schedule(soon=soon)

    def _schedule(self, *, soon: bool) -> None:
        if threading.get_ident() != self._main_thread:
            self.flush()
        elif self.resting:
            return
        elif len(self._pending) >= _MOST_REPORTS_HELD:
            self.flush()
        elif soon and not self._scheduled_soon:
            self._scheduled = self._scheduled_soon = True
            self._loop.call_soon(self._turn_ended)
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn_passed)

    def _say_begun(self, lease: int) -> None:
        """Queues that an attempt has begun, unless another thread has just done it."""
        if (time_ns := self._begun.pop(lease, None)) is not None:
            report = WorkerReport(lease=lease)
            report.started.time.seconds, report.started.time.nanos = divmod(time_ns, 1_000_000_000)
            self._pending.append(report)

    def call_at_end_of_turn(self, work: Callable[[], None]) -> None:
        """Runs `work` before the reports of this turn of the loop go out. From any thread; at once if it is not the
        main one.
        """
        if threading.get_ident() != self._main_thread:
            work()
            return
        self._before_flush[work] = None
        if not self._scheduled_soon:
            self._scheduled = self._scheduled_soon = True
            self._loop.call_soon(self._turn_ended)

    def wake_pulse(self) -> None:
        """Makes the pulse thread look at the stream now."""
        os.eventfd_write(self._wake_descriptor, 1)

    def send_output(self, report: WorkerReport, size_bytes: int) -> None:
        """Queues captured output."""
        self._pending_output_bytes += size_bytes
        self.send(report)

    def wait_for_room(self) -> None:
        """Waits, as a writer to a full pipe does, while too much output has not been taken. Never from the pulse
        thread.
        """
        if self._waiting_bytes() <= _MOST_PENDING_BYTES:
            return
        self.wake_pulse()
        with self._drained:
            self._drained.wait_for(lambda: self._waiting_bytes() <= _MOST_PENDING_BYTES)

    def _waiting_bytes(self) -> int:
        return self._pending_output_bytes + len(self._unsent)

    def flush(self) -> None:
        """Writes what is queued, as far as the socket takes it; the pulse thread writes the rest."""
        with self._write_lock:
            for lease in tuple(self._begun):
                self._say_begun(lease)
            if self._pending:
                # Other threads append meanwhile, so the list stays the same one.
                reports = self._pending[:]
                del self._pending[: len(reports)]
                self._pending_output_bytes = 0
                for batch in _batches(reports):
                    self._unsent += encode_frame(SessionRequest(reports=batch).SerializeToString())
            self._write()
        if self._unsent:
            self.wake_pulse()

    def drain(self) -> None:
        """Writes everything, waiting for the other side to take it, at most a few seconds: the last thing a worker
        does.
        """
        self.flush()
        with self._write_lock, contextlib.suppress(OSError):
            self._connection.settimeout(_DRAIN_S)
            self._connection.sendall(self._unsent)
            self._unsent.clear()

    def disown(self) -> None:
        """Lets go of the socket in a forked process, which must neither write to it nor hold it open."""
        # Locks may have been held by threads that the fork did not copy.
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._connection.close()

    def _turn_passed(self) -> None:
        self._loop.call_soon(self._turn_ended)

    def _turn_ended(self) -> None:
        self._scheduled = self._scheduled_soon = False
        while self._before_flush:
            self._before_flush.popitem()[0]()
        self.flush()

    def _write(self) -> None:
        while self._unsent:
            try:
                sent = self._connection.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # Nobody listens any more; the reader learns the same and ends the worker.
                sent = len(self._unsent)
            del self._unsent[:sent]
            self._drained.notify_all()

    def _readable(self) -> None:
        try:
            orders = self.read()
        except StreamEnded:
            self._loop.remove_reader(self._connection)
            self._ended()
            return
        if orders:
            self._receive(orders)

    def read(self) -> list[WorkerOrder]:
        """Orders that have arrived; empty if none is complete. Raises StreamEnded."""
        with self._read_lock:
            return self._read()

    def read_at_rest(self) -> None:
        """Reads for the main thread while it is in user code; does nothing once it is back. Raises StreamEnded."""
        with self._read_lock:
            if self.resting and (orders := self._read()):
                self._receive(orders)

    def leave_rest(self) -> None:
        """The main thread is back on the loop: from now on it reads and writes."""
        with self._read_lock:
            self.resting = False
        if (self._pending or self._begun) and not self._scheduled_soon:
            self._scheduled = self._scheduled_soon = True
            self._loop.call_soon(self._turn_ended)

    def _read(self) -> list[WorkerOrder]:
        try:
            data = self._connection.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise StreamEnded from error
        if not data:
            raise StreamEnded
        orders: list[WorkerOrder] = []
        for frame in self._decoder.feed(data):
            orders.extend(SessionResponse.FromString(frame).orders)
        return orders


def _batches(reports: list[WorkerReport]) -> Iterator[list[WorkerReport]]:
    """Cuts what is to be sent at once into pieces that are far shorter than the longest frame."""
    if len(reports) * INLINE_ON_STREAM_BYTES < _BATCH_BYTES:
        yield reports
        return
    start, size_bytes = 0, 0
    for end, report in enumerate(reports, start=1):
        size_bytes += report.ByteSize()
        if size_bytes >= _BATCH_BYTES:
            yield reports[start:end]
            start, size_bytes = end, 0
    if start < len(reports):
        yield reports[start:]
