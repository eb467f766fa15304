"""Phases of all runs, for whoever keeps a list of them: stored first, then live, at least once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from flyteplane.rpc.message_size import pieces

if TYPE_CHECKING:
    from flyteplane.scheduler.application.ports import Records, RunChange

PAGE: Final = 500
#: Time in which changes are collected for one read of the store.
COLLECT_S: Final = 0.02
_SHORT_FIELDS_BYTES: Final = 256


class RunPhases:
    """Streams of run phases. The store is the truth; `changed` only says when to look."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting: set[asyncio.Event] = set()

    def changed(self) -> None:
        """Some run has entered a phase, and that is durable."""
        for event in self._waiting:
            event.set()

    @property
    def followed(self) -> bool:
        """Whether somebody keeps such a list now."""
        return bool(self._waiting)

    async def latest(self) -> int:
        """The cursor of the newest change that is kept; 0 if there is none."""
        return await self._records.latest_run_change()

    async def watch(self, *, after: int) -> AsyncIterator[Sequence[RunChange]]:
        """Batches of changes after a cursor. Never ends."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            while True:
                event.clear()
                while changes := await self._records.run_changes(after=after, limit=PAGE):
                    after = changes[-1].cursor
                    for piece in pieces(changes, size=_size, most=PAGE):
                        yield piece
                await event.wait()
                await asyncio.sleep(COLLECT_S)
        finally:
            self._waiting.discard(event)


def _size(change: RunChange) -> int:
    """About the bytes of a change in a message; everything but the error is short."""
    return len(change.error) + _SHORT_FIELDS_BYTES
