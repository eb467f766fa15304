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


class LogSegments:
    """What is stored of a log, and what is not stored yet. Belongs to one event loop."""

    def __init__(self, objects: ObjectStore, *, prefix: str) -> None:
        self._objects = objects
        self._prefix = prefix
        self._ends: list[int] = []
        """Offset at which each stored segment ends."""
        self._loaded = False
        self._one_at_a_time = asyncio.Lock()
        self.unwritten = bytearray()

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
        """Store a part of what is not stored yet; returns how many bytes. Raises Unavailable."""
        async with self._one_at_a_time:
            await self._load()
            content = bytes(self.unwritten[:_MOST_SEGMENT_BYTES])
            while content and not await self._put(len(self._ends), content):
                self._loaded = False
                await self._load()
            return len(content)

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
        self._ends, self._loaded = ends, True

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number:010}"


def action_prefix(run: RunKey, action: str) -> str:
    """Where the logs of an action's attempts are; ends in "/"."""
    return f"logs/{run.project}/{run.domain}/{run.name}/{action}/"


async def stored_attempts(objects: ObjectStore, run: RunKey, action: str) -> set[int]:
    """Attempts of which something is stored. Raises Unavailable."""
    prefix, found, after = action_prefix(run, action), set[int](), ""
    while page := (await objects.list(prefix, after=after, limit=1)).objects:
        attempt = page[0].key.removeprefix(prefix).partition("/")[0]
        found.add(int(attempt))
        # Behind all segments of this attempt: they begin with a digit.
        after = f"{prefix}{attempt}/~"
    return found
