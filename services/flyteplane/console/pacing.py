"""When a page is brought up to date again: once for all that has changed, no more often than is of use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

_SOONEST_S: Final = 0.25
_LATEST_S: Final = 3.0
#: What takes long is done less often: it takes a thirtieth of the time, or there is nothing new for `_LATEST_S`.
_SHARE: Final = 30


def pause_after(took_s: float) -> float:
    """Seconds to wait after an update that took so long."""
    return min(max(_SOONEST_S, took_s * _SHARE), _LATEST_S)


async def paced(changes: AsyncIterable[object]) -> AsyncGenerator[None, None]:
    """Once for all changes since the time before. Ends with the changes, and raises what they raise.

    The last changes may come with the end: whoever collects them looks again then.
    """
    changed = asyncio.Event()
    reading = asyncio.ensure_future(_note(changes, changed))
    try:
        while True:
            await changed.wait()
            if reading.done():
                reading.result()
                return
            changed.clear()
            begun = time.monotonic()
            yield
            await asyncio.wait([reading], timeout=pause_after(time.monotonic() - begun))
    finally:
        reading.cancel()
        await asyncio.wait([reading])


async def _note(changes: AsyncIterable[object], changed: asyncio.Event) -> None:
    try:
        async for _ in changes:
            changed.set()
    finally:
        changed.set()
