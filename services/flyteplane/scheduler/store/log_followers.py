"""Following logs while they are written: by waiting for the next append rather than by looking again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

from flyteplane.scheduler.application.ports import RunKey

_PIECE_BYTES: Final = 64 * 1024

#: Gives at most `limit` bytes from an offset on; none at the end of what is there.
ReadPiece: TypeAlias = Callable[[int, int], Awaitable[bytes]]


class LogFollowers:
    """Whoever follows the log of an action."""

    def __init__(self) -> None:
        self._followers: dict[tuple[RunKey, str], set[asyncio.Event]] = {}

    def wake(self, run: RunKey, action: str) -> None:
        """There may be more to read, or an end."""
        for event in self._followers.get((run, action), ()):
            event.set()

    async def stream(
        self, run: RunKey, action: str, *, read: ReadPiece, ended: Callable[[], bool], changed: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """What is there and what comes until `ended` says that nothing more will. `changed` is set for whatever may
        end it."""
        followers = self._followers.setdefault((run, action), set())
        followers.add(changed)
        try:
            offset = 0
            while True:
                changed.clear()
                over = ended()
                while piece := await read(offset, _PIECE_BYTES):
                    offset += len(piece)
                    yield piece
                if over:
                    return
                await changed.wait()
        finally:
            followers.discard(changed)
            if not followers:
                self._followers.pop((run, action), None)
