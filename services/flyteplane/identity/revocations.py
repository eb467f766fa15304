"""Tells a process that somebody has lost something, so that what is remembered of callers is not trusted further."""

import asyncio


class Revocations:
    """One for each process: whoever takes something away notes it, whoever remembers callers looks."""

    def __init__(self) -> None:
        self.count = 0
        """Grows with every note."""
        self._next = asyncio.Event()

    def note(self) -> None:
        """A key was revoked, or a role given or taken away."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Return with the next note."""
        await self._next.wait()
