"""Standard output and error of user code, told apart by attempt.

Several attempts may share a process, so `sys.stdout` and `sys.stderr` are replaced by writers that look up the
attempt of the calling context. What they get becomes LogChunk reports, batched by turn of the loop or by the pulse
thread. Output that belongs to no attempt, and everything written to the descriptors themselves, goes to the worker's
output pipe. Values of the attempt's secrets are masked before anything leaves the worker.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TextIO

from flyte.runner.linux import flush_c_output
from flyte.runner.stream import WorkerStream
from flyteapi.scheduler.v1.worker_service_pb2 import LogChunk, WorkerReport

if TYPE_CHECKING:
    from flyte.runner.masked_output import MaskedOutput, Piece
    from flyte.spec.masking import Mask

_FLUSH_BYTES: Final = 8 << 10
"""Output that is not kept until the end of the turn."""
_MOST_CHUNK_BYTES: Final = 64 << 10
"""Of output in one report."""


class AttemptOutput:
    """Collects what one attempt writes, in order."""

    def __init__(self, stream: WorkerStream, *, lease: int, mask: Mask | None = None) -> None:
        self._stream = stream
        self._lease = lease
        self._masked = _masked(mask) if mask is not None else None
        self._parts: list[Piece] = []
        self._size_bytes = 0
        self._closed = False
        self._lock = threading.Lock()

    def write(self, data: bytes, *, is_stderr: bool) -> None:
        """Takes output; waits while too much of it has not been taken by the other side."""
        if self._closed:
            return
        self._parts.append((is_stderr, data))
        self._size_bytes += len(data)
        if self._size_bytes >= _FLUSH_BYTES:
            self.hand_on()
            self._stream.wake_pulse()
            self._stream.wait_for_room()
        elif not self._stream.resting:
            self._stream.call_at_end_of_turn(self.hand_on)

    def hand_on(self) -> None:
        """Queues everything taken so far as reports; from any thread, and from signal handlers in the middle of
        itself.
        """
        waits = self._parts or (self._masked is not None and self._masked.is_due)
        if waits and self._lock.acquire(blocking=False):
            try:
                self._queue_parts()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Hands on the rest; anything that is written later is dropped, as the attempt is over."""
        self._closed = True
        with self._lock:
            if self._parts:
                self._queue_parts()
            if self._masked is not None:
                self._queue(self._masked.finish())

    def _queue_parts(self) -> None:
        # Other threads append meanwhile, so the list stays the same one.
        parts = self._parts[:]
        del self._parts[: len(parts)]
        self._size_bytes = 0
        joined = _joined(parts)
        self._queue(joined if self._masked is None else self._masked.take(joined))

    def _queue(self, pieces: Sequence[Piece]) -> None:
        for is_stderr, data in _chunks(pieces):
            chunk = WorkerReport(lease=self._lease, log=LogChunk(data=data, is_stderr=is_stderr))
            self._stream.send_output(chunk, len(data))


def _masked(mask: Mask) -> MaskedOutput:
    from flyte.runner.masked_output import MaskedOutput

    return MaskedOutput(mask)


def _joined(parts: Sequence[Piece]) -> list[Piece]:
    """Joins neighbours of the same kind."""
    if len(parts) == 1:
        return list(parts)
    joined: list[tuple[bool, list[bytes]]] = []
    for is_stderr, data in parts:
        if joined and joined[-1][0] == is_stderr:
            joined[-1][1].append(data)
        else:
            joined.append((is_stderr, [data]))
    return [(is_stderr, b"".join(pieces)) for is_stderr, pieces in joined]


def _chunks(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Cuts what is too long for one report."""
    for is_stderr, whole in pieces:
        if 0 < len(whole) <= _MOST_CHUNK_BYTES:
            yield is_stderr, whole
            continue
        for start in range(0, len(whole), _MOST_CHUNK_BYTES):
            yield is_stderr, whole[start : start + _MOST_CHUNK_BYTES]


current_output: ContextVar[AttemptOutput | None] = ContextVar("flyte_output", default=None)
"""Where the running context writes to; None outside of attempts."""


class CapturedBuffer(io.RawIOBase):
    """The binary face: `sys.stdout.buffer`."""

    def __init__(self, descriptor: int, fallback: Callable[[], AttemptOutput | None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._fallback = fallback

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        content = bytes(data)
        output = None if _forked else current_output.get() or self._fallback()
        if output is not None:
            output.write(content, is_stderr=self._descriptor == 2)
        else:
            _write_whole(self._descriptor, content)
        return len(content)


class CapturedText(io.TextIOBase):
    """The text face: `sys.stdout` and `sys.stderr`."""

    def __init__(self, descriptor: int, fallback: Callable[[], AttemptOutput | None]) -> None:
        super().__init__()
        self.buffer = CapturedBuffer(descriptor, fallback)
        self.name = "<stdout>" if descriptor == 1 else "<stderr>"
        self.mode = "w"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.buffer.fileno()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.buffer.write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def close(self) -> None:
        """Does nothing: the process goes on writing after user code has closed its output."""


_forked = False


def write_to_descriptors() -> None:
    """From now on everything goes to the descriptors: this process was forked by user code and has no stream."""
    global _forked
    _forked = True


def flush_output_of_process() -> None:
    """Writes what buffers of Python and of C libraries still hold; the process then ends without doing so."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    flush_c_output()


def _write_whole(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def capture_standard_streams(fallback: Callable[[], AttemptOutput | None]) -> None:
    """Puts captured writers in the place of stdout and stderr.

    Args:
        fallback: the attempt that writes outside of any context are put down to, for threads that copied none.
    """
    stdout: TextIO = CapturedText(1, fallback)  # type: ignore[assignment]
    stderr: TextIO = CapturedText(2, fallback)  # type: ignore[assignment]
    sys.stdout, sys.stderr = stdout, stderr
