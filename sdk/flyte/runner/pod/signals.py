"""Signals as events of the loop, without what asyncio would load for it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping


class Signals:
    """Calls a function on the loop for each signal that comes; for the main thread, inside its running loop.

    asyncio's own way asks `inspect` about each function, which would have to be loaded before anything else.
    """

    def __init__(self, handlers: Mapping[int, Callable[[], object]]) -> None:
        self._handlers = handlers
        self._come, self._written = socket.socketpair()
        self._come.setblocking(False)
        self._written.setblocking(False)
        asyncio.get_running_loop().add_reader(self._come, self._read)
        # Python writes their numbers there. If it is full there is enough to read, which is looked at as a whole.
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        for number in handlers:
            signal.signal(number, _nothing)
            signal.siginterrupt(number, False)
        # Those that were held back until somebody listens come now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)

    def close(self) -> None:
        """Signals do from now on what they do by default."""
        signal.set_wakeup_fd(-1)
        for number in self._handlers:
            signal.signal(number, signal.SIG_DFL)
        asyncio.get_running_loop().remove_reader(self._come)
        self._come.close()
        self._written.close()

    def _read(self) -> None:
        # In the order in which they came, each once.
        for number in dict.fromkeys(self._come.recv(4096)):
            if number in self._handlers:
                self._handlers[number]()


def _nothing(number: int, frame: object) -> None:
    """What has to be done is done on the loop."""
