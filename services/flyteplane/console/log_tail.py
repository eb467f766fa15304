"""Output on its way to a page: all of it as long as the page keeps up, else the newest of it.

Whoever opens a log of a gigabyte wants its end. What has not been sent yet is therefore bounded: the oldest of it is
skipped by whole lines, and the page is told how many lines are before those that it gets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flyteplane.console.ansi import AnsiLines, Line
from flyteplane.console.live import Message

#: Bytes that may wait for a page.
MOST_WAITING: Final = 4 << 20
#: Bytes that are read into lines at once; others of the process have their turn in between.
_PIECE_BYTES: Final = 256 << 10


class LogTail:
    """What one reader still has to be sent.

    Args:
        after: lines that the reader has. They are read all the same: their last colour may go on.
    """

    def __init__(self, *, after: int) -> None:
        self._after = after
        self._waiting = bytearray()
        self._skipped: int | None = None
        """Ends of lines that were skipped since the last message; None: nothing was."""
        self._count = 0
        self._reader = AnsiLines()

    def add(self, data: bytes) -> None:
        """The task wrote this."""
        self._waiting += data
        excess = len(self._waiting) - MOST_WAITING
        if excess > 0:
            end = self._waiting.find(b"\n", excess) + 1 or excess
            self._skipped = (self._skipped or 0) + self._waiting.count(b"\n", 0, end)
            del self._waiting[:end]

    def messages(self, *, ended: bool = False) -> Iterator[Message]:
        """All that waits, also what comes while these are taken. `ended`: nothing more can come."""
        while self._waiting:
            if self._skipped is not None:
                yield self._skip(self._skipped)
            piece = bytes(self._waiting[:_PIECE_BYTES])
            del self._waiting[:_PIECE_BYTES]
            yield from self._told(self._reader.feed(piece))
        if ended:
            yield from self._told(self._reader.end())

    def _skip(self, lines: int) -> Message:
        """The line that was begun goes too: its end is skipped."""
        self._count, self._skipped, self._reader = self._count + lines, None, AnsiLines()
        return Message(kind="skipped", data=self._count)

    def _told(self, fresh: list[Line]) -> Iterator[Message]:
        seen, self._count = max(self._after - self._count, 0), self._count + len(fresh)
        if fresh[seen:]:
            yield Message(kind="lines", data=[_pieces(line) for line in fresh[seen:]], id=str(self._count))


def _pieces(line: Line) -> list[list[str]]:
    return [[piece.text, piece.classes] for piece in line]
