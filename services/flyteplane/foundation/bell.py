"""A bell: tells whoever listens that something has changed, and costs next to nothing while nobody does.

It says that there is something new and not what: who hears it looks for itself. So rings that come while somebody looks
are one ring to them, nothing queues up for slow listeners, and whoever rings never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from flyteplane.foundation.clock import TimerClock


class Bell:
    """Belongs to one event loop."""

    def __init__(self, clock: TimerClock) -> None:
        self._clock = clock
        self._listening: set[asyncio.Event] = set()

    def ring(self) -> None:
        """Something has changed."""
        for event in self._listening:
            event.set()

    async def rings(self, *, apart_s: float) -> AsyncGenerator[None, None]:
        """Once at the beginning, for what was before, and then after every ring. Never ends.

        Args:
            apart_s: seconds between two of them at least; rings in between are one.
        """
        event = asyncio.Event()
        self._listening.add(event)
        try:
            while True:
                event.clear()
                told_at = self._clock.monotonic()
                yield
                await event.wait()
                if (early_s := told_at + apart_s - self._clock.monotonic()) > 0.0:
                    await self._clock.sleep(early_s)
        finally:
            self._listening.discard(event)
