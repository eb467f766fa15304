"""The first failure of something that runs in the background: noted by whoever sees it, awaited by whoever owns it."""

from __future__ import annotations

import asyncio


class FirstFailure:
    """Keeps the first error that it is told of. Made inside a running loop."""

    def __init__(self) -> None:
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(self, error: BaseException) -> None:
        """Tells of an error; later ones are consequences."""
        if not self._failure.done():
            self._failure.set_exception(error)
            # Whoever asks hears of it; nobody having asked yet is no reason for a warning.
            self._failure.exception()

    @property
    def text(self) -> str:
        """What the first error says; empty as long as there is none."""
        error = self._failure.exception() if self._failure.done() else None
        return "" if error is None else f"a service failed: {error}"

    async def wait(self) -> None:
        """Returns never, or raises the first error."""
        await asyncio.shield(self._failure)
