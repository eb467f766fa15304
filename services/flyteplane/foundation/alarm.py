"""An alarm: wakes work that is done in rounds when its time has come, or sooner if somebody asks for it.

What is asked for while a round is under way is not lost: the wait after it is over at once.
"""

import asyncio

from flyteplane.foundation.clock import TimerClock


class Alarm:
    """Wakes one who waits. Belongs to one event loop."""

    def __init__(self, clock: TimerClock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Ask for a round now."""
        self._rung.set()

    async def wait(self, *, at_most_s: float) -> None:
        """Return when somebody asks or asked, at the latest after this time."""
        timer = self._clock.call_later(at_most_s, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            timer.cancel()
        self._rung.clear()
