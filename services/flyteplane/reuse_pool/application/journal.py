"""Notes for the register that nobody waits for, written one after another in the order in which they were made.

A register that cannot be written does not stop the pool: what is missing in it is found by the sweep of the next start.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from flyteplane.foundation.batcher import Batcher
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger

_log = get_logger("reuse_pool")

Note: TypeAlias = Callable[[], Awaitable[None]]


class Journal:
    """Writes notes in the background.

    Args:
        fenced: called with the error once another leader has the register.
    """

    def __init__(self, *, fenced: Callable[[BaseException], None] = lambda _: None) -> None:
        self._fenced = fenced
        self._notes: Batcher[Note] = Batcher("notes for the register")
        self._writer: asyncio.Task[None] | None = None

    def note(self, write: Note) -> None:
        """Queue a note; dropped after `close`."""
        if self._notes.closed:
            return
        self._notes.put_nowait(write)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="reuse_pool.journal")

    async def close(self) -> None:
        """Return once everything noted so far is written."""
        self._notes.close()
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while notes := await self._notes.take():
            results = await asyncio.gather(*(note() for note in notes), return_exceptions=True)
            for error in results:
                if isinstance(error, PlatformError) and error.reason == "FENCED":
                    self._fenced(error)
                elif isinstance(error, PlatformError):
                    _log.error("pool_register_not_written", problem=error.public_text)
                elif isinstance(error, BaseException):
                    _log.error("pool_register_not_written", exc_info=error)
