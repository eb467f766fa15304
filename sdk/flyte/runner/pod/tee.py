"""The task's output, masked, on the agent's own standard output too, for `kubectl logs`.

Whoever reads it must not be able to stop the agent: what is not taken waits up to a bound and is then left out here.
It is whole in the platform's own log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from typing import Final

_MOST_BYTES: Final = 1 << 20
"""Output that waits to be written; what comes beyond it is left out, and is in the log of the attempt all the same."""
_PIECE_BYTES: Final = select.PIPE_BUF


class Tee:
    """Writes to a descriptor without ever waiting for it."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._watching = False

    def write(self, data: bytes) -> None:
        """Takes output."""
        if len(self._waiting) < _MOST_BYTES:
            self._waiting += data
        self._flush()

    def close(self, *, patience_s: float = 0.5) -> None:
        """Writes what still waits, for a short time at most."""
        while self._waiting and self._poll.poll(patience_s * 1000):
            if not self._write_piece():
                return

    def _flush(self) -> None:
        # A piece of this size is taken as a whole, at once, by a pipe that is ready at all.
        while self._waiting and self._poll.poll(0):
            if not self._write_piece():
                return
        if bool(self._waiting) != self._watching:
            self._watch(bool(self._waiting))

    def _write_piece(self) -> bool:
        try:
            written = os.write(self._descriptor, self._waiting[:_PIECE_BYTES])
        except OSError:
            # Nobody reads, or the disk is full: the platform's own log has it.
            written = len(self._waiting)
        del self._waiting[:written]
        return bool(written)

    def _watch(self, watching: bool) -> None:
        # A regular file cannot be watched; it never lets anybody wait either.
        with contextlib.suppress(OSError):
            if watching:
                self._loop.add_writer(self._descriptor, self._flush)
            else:
                self._loop.remove_writer(self._descriptor)
        self._watching = watching
