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
        self._interruption: str | None = None
        self._interruptible = False
        self._waiting: asyncio.Future[Any] | None = None
        signal.signal(INTERRUPT, self._interrupted)

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on the main thread."""
        return threading.get_ident() == self._ident

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Synchronous user code runs inside the block."""
        self._interruption = None
        self._stream.flush()
        self._pulse.enter_rest()
        try:
            # An interruption may still strike in the inner `finally`, but in no line that follows it.
            try:
                self._interruptible = True
                yield
            finally:
                self._interruptible = False
        finally:
            self._stream.leave_rest()
            self._back_on_loop()

    def run_loop_until(self, awaitable: Awaitable[T]) -> T:
        """Gives the main thread to the loop until `awaitable` is done; for synchronous user code on the main thread."""
        self._interruptible = False
        future = asyncio.ensure_future(awaitable, loop=self.loop)
        self._waiting = future
        self._stream.leave_rest()
        self._back_on_loop()
        try:
            return self.loop.run_until_complete(future)
        finally:
            self._waiting = None
            self._pulse.enter_rest()
            self._interruptible = True

    def interrupt(self, reason: str) -> None:
        """Raises CancelledError in the synchronous code that has the main thread, from any thread."""
        if not self.is_current:
            self._interruption = reason
            signal.pthread_kill(self._ident, INTERRUPT)
        elif self._waiting is not None:
            self._waiting.cancel(reason)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        reason, self._interruption = self._interruption, None
        if reason is None:
            return
        if self._interruptible:
            raise asyncio.CancelledError(reason)
        if self._waiting is not None:
            self.loop.call_soon_threadsafe(self._waiting.cancel, reason)
