"""The log of one attempt as objects: `logs/<project>/<domain>/<run>/<action>/<attempt>/<number>`, numbers from 0 on.

A segment is written once and never changed. The number of the next one is decided by the store, so that a leader that
was replaced and its successor never write over each other; and a segment whose writing was not answered is known again
by its content.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Final

from flyteplane.objects import ObjectStore
from flyteplane.scheduler.application.ports import RunKey

_MOST_SEGMENT_BYTES: Final = 4 << 20
_PAGE: Final = 1000
#: More than a worker keeps of what it does not know to have arrived.
_MOST_REPEATED_BYTES: Final = 16 << 20


class LogSegments:
    """What is stored of a log, and what is not stored yet. Belongs to one event loop."""

    def __init__(self, objects: ObjectStore, *, prefix: str) -> None:
        self._objects = objects
        self._prefix = prefix
        self._ends: list[int] = []
        """Offset at which each stored segment ends."""
        self._loaded = False
        self._one_at_a_time = asyncio.Lock()
        self._said = -1
        """Bytes of output that the worker has said up to now, whoever led; -1 before it says anything here."""
        self._first_said = -1
        """Where it began to speak here, until it is known what was stored of that before; then -1."""
        self._before = b""
        """What a leader before this one has stored, and the worker, who may not know, has yet to say again."""
        self.unwritten = bytearray()
        self.left_out_bytes = 0
        """Taken out of `unwritten` again since the last write, as it was stored already."""

    @property
    def stored_position(self) -> int:
        """Up to which byte of what the worker has said all is stored; 0 where it does not count them."""
        return max(self._said - len(self.unwritten), 0)

    def append(self, data: bytes, *, position: int) -> int:
        """Take output, but for what is here already; returns by how many bytes `unwritten` has grown."""
        if position:
            begin = position - 1
            if self._said < 0:
                self._said = self._first_said = begin
                self._loaded = False
            known, self._said = max(0, self._said - begin), max(self._said, begin + len(data))
            data = data[known:]
        before_bytes = len(self.unwritten)
        self.unwritten += data
        return len(self.unwritten) - before_bytes + self._leave_out()

    def _leave_out(self) -> int:
        """Take out of `unwritten` what was stored before; returns by how many bytes it grows thereby: none, or less."""
        count = min(len(self._before), len(self.unwritten))
        same = self.unwritten.startswith(self._before[:count])
        self._before = self._before[count:] if same else b""
        if not same:
            return 0
        del self.unwritten[:count]
        return -count

    async def read(self, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from an offset on; none at the end. Raises Unavailable."""
        if not self._loaded:
            async with self._one_at_a_time:
                await self._load()
        stored = self._ends[-1] if self._ends else 0
        if offset >= stored:
            return bytes(self.unwritten[offset - stored : offset - stored + limit])
        number = bisect_right(self._ends, offset)
        start = self._ends[number - 1] if number else 0
        return await self._objects.get_range(self._key(number), offset=offset - start, length=limit)

    async def write(self) -> int:
        """Store a part of what is not stored yet; returns how many bytes, and those left out. Raises Unavailable."""
        async with self._one_at_a_time:
            await self._load()
            while (content := bytes(self.unwritten[:_MOST_SEGMENT_BYTES])) and not await self._put(
                len(self._ends), content
            ):
                # By another leader, to whom the worker may have said the same again.
                self._loaded = False
                self._first_said = self._said - len(self.unwritten)
                await self._load()
            left_out, self.left_out_bytes = self.left_out_bytes, 0
            return len(content) + left_out

    async def _put(self, number: int, content: bytes) -> bool:
        key = self._key(number)
        written = await self._objects.put_if_absent(key, content) or await self._objects.get(key) == content
        if written:
            # No reader sees a moment in which it is in both or in neither.
            self._ends.append((self._ends[-1] if self._ends else 0) + len(content))
            del self.unwritten[: len(content)]
        return written

    async def _load(self) -> None:
        if self._loaded:
            return
        ends: list[int] = []
        after, total = "", 0
        while True:
            page = await self._objects.list(self._prefix, after=after, limit=_PAGE)
            for info in page.objects:
                total += info.size_bytes
                ends.append(total)
            if not page.next_after:
                break
            after = page.next_after
        first = self._first_said
        if 0 <= first < total <= first + _MOST_REPEATED_BYTES:
            self._before = await self._range(ends, first)
        # At once: no reader sees anything in both.
        self._ends, self._loaded, self._first_said = ends, True, -1
        self.left_out_bytes -= self._leave_out()

    async def _range(self, ends: list[int], begin: int) -> bytes:
        """All that is stored from a byte on."""
        pieces = []
        for number in range(bisect_right(ends, begin), len(ends)):
            start = ends[number - 1] if number else 0
            length = ends[number] - max(start, begin)
            pieces.append(await self._objects.get_range(self._key(number), offset=max(begin - start, 0), length=length))
        return b"".join(pieces)

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number:010}"


def run_prefix(run: RunKey) -> str:
    """Where the logs of a run are; ends in "/"."""
    return f"logs/{run}/"


def action_prefix(run: RunKey, action: str) -> str:
    """Where the logs of an action's attempts are; ends in "/"."""
    return f"{run_prefix(run)}{action}/"


async def stored_attempts(objects: ObjectStore, run: RunKey, action: str) -> set[int]:
    """Attempts of which something is stored. Raises Unavailable."""
    prefix, found, after = action_prefix(run, action), set[int](), ""
    while page := (await objects.list(prefix, after=after, limit=1)).objects:
        attempt = page[0].key.removeprefix(prefix).partition("/")[0]
        found.add(int(attempt))
        # Behind all segments of this attempt: they begin with a digit.
        after = f"{prefix}{attempt}/~"
    return found
