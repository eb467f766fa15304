"""Who has the main thread: the worker's loop, or synchronous user code while the loop is at rest.

There is one such hand-over at a time. Synchronous code gives the main thread back to the loop whenever it waits for a
child, and can be interrupted from the pulse thread by a signal that raises CancelledError wherever it is.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

from flyte.runner.pulse import Pulse
from flyte.runner.stream import WorkerStream

T = TypeVar("T")

INTERRUPT: Final = signal.SIGRTMIN + 5
"""A signal that programs do not use."""


class MainThread:
    """Hands the main thread back and forth.

    Args:
        loop: the worker's loop.
        back_on_loop: called when the main thread is the loop's again, for what arrived meanwhile.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        stream: WorkerStream,
        pulse: Pulse,
        back_on_loop: Callable[[], None],
    ) -> None:
        self.loop = loop
        self._stream = stream
        self._pulse = pulse
        self._back_on_loop = back_on_loop
        self._ident = threading.get_ident()
        self._at_rest: int | None = None
        self._waiting: tuple[int | None, asyncio.Future[Any]] | None = None
        self._interruption: tuple[int, str] | None = None
        signal.signal(INTERRUPT, self._interrupted)

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on the main thread."""
        return threading.get_ident() == self._ident

    @contextmanager
    def at_rest(self, lease: int) -> Iterator[None]:
        """Synchronous code of the attempt with this lease runs inside the block."""
        self._stream.flush()
        self._pulse.enter_rest()
        try:
            # An interruption may still strike in the inner `finally`, but in no line that follows it.
            try:
                self._at_rest = lease
                self._raise_if_interrupted()
                yield
            finally:
                self._at_rest = None
        finally:
            self._stream.leave_rest()
            self._back_on_loop()

    def run_loop_until(self, awaitable: Awaitable[T]) -> T:
        """Gives the main thread to the loop until `awaitable` is done; for synchronous user code on the main thread."""
        lease, self._at_rest = self._at_rest, None
        future = asyncio.ensure_future(awaitable, loop=self.loop)
        self._waiting = (lease, future)
        self._stream.leave_rest()
        self._back_on_loop()
        try:
            return self.loop.run_until_complete(future)
        finally:
            self._waiting = None
            self._pulse.enter_rest()
            self._at_rest = lease
            self._raise_if_interrupted()

    def interrupt(self, lease: int, reason: str) -> None:
        """Raises CancelledError in the synchronous code of an attempt, from any thread; nothing if it has none."""
        if not self.is_current:
            self._interruption = (lease, reason)
            signal.pthread_kill(self._ident, INTERRUPT)
        elif self._waiting is not None and self._waiting[0] == lease:
            self._waiting[1].cancel(reason)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        self._raise_if_interrupted()
        if self._interruption is not None and self._waiting is not None and self._waiting[0] == self._interruption[0]:
            self.loop.call_soon_threadsafe(self._waiting[1].cancel, self._interruption[1])
            self._interruption = None

    def _raise_if_interrupted(self) -> None:
        if self._interruption is not None and self._interruption[0] == self._at_rest:
            reason, self._interruption = self._interruption[1], None
            raise asyncio.CancelledError(reason)
