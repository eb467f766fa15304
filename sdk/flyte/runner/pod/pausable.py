"""Reading from a descriptor on the event loop, with pauses: whoever writes then waits, as on a full pipe."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol


class HasFileno(Protocol):
    """A socket, for example."""

    def fileno(self) -> int:
        """Its descriptor."""


class PausableReader(ABC):
    """Calls `_readable` whenever there is something to read, except during pauses. Made inside a running loop."""

    def __init__(self, source: HasFileno | int) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self.open = True
        """Whether more may come."""

    def start(self) -> None:
        """Begins to read."""
        self.set_reading(True)

    def set_reading(self, reading: bool) -> None:
        """Reads on, or lets whoever writes wait."""
        if not self.open or reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._loop.add_reader(self._source, self._readable)
        else:
            self._loop.remove_reader(self._source)

    def _read_no_more(self) -> None:
        """The source has ended; its owner closes it."""
        self._loop.remove_reader(self._source)
        self.open = False

    @abstractmethod
    def _readable(self) -> None:
        """Reads what is there, without blocking."""
