"""The loop that carries the SDK's own coroutines, in a daemon thread that starts with its first use.

A forked child inherits the object but not the thread; it is given a new loop on first use, so a worker forked from a
template never waits for a thread that does not exist.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

CANCEL_GRACE_S: Final = 5.0
"""How long an interrupted call may take to clean up before its caller goes on."""


class BlockingCallOnServingLoop(AssertionError):
    """A blocking call was made from the loop that would have to serve it. Await the `.aio` form instead."""


class BackgroundLoop:
    """An event loop in a thread of its own."""

    def __init__(self, *, name: str = "flyte-syncify") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owner_pid = 0

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; starts it if this process has none yet."""
        with self._lock:
            if self._loop is None or self._loop.is_closed() or self._owner_pid != os.getpid():
                self._loop = self._start()
                self._owner_pid = os.getpid()
            return self._loop

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        threading.Thread(target=_run_forever, args=(loop,), name=self._name, daemon=True).start()
        return loop

    def is_current(self) -> bool:
        """Tell whether the caller runs on this loop."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def run(self, coroutine: Coroutine[Any, Any, T], *, what: str) -> T:
        """Run a coroutine to its end and return its result. Ctrl-C cancels it.

        Raises BlockingCallOnServingLoop on the loop itself; `what` names the call in that message.
        """
        if self.is_current():
            coroutine.close()
            raise BlockingCallOnServingLoop(
                f"Deadlock detected: {what}() blocks the event loop that has to serve it. Use `await {what}.aio(...)`."
            )
        call = _Call(coroutine, self.loop())
        try:
            call.begin()
            return call.outcome.result()
        except BaseException:
            call.end()
            raise

    async def await_from_anywhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine on this loop, from whatever loop the caller runs on. Cancelling the caller cancels it."""
        if self.is_current():
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop()))


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


class _Call(Generic[T]):
    """One coroutine under way on the loop, seen from another thread. Context variables travel with it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self.outcome: Future[T] = Future()
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> None:
        """Start it, in a copy of the caller's context."""
        self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.outcome.set_exception(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())

    def end(self) -> None:
        """Cancel the coroutine if it has not ended, and wait until it has, so that nothing of it runs on unseen."""
        if not self.outcome.done():
            self._loop.call_soon_threadsafe(self._cancel)
            wait([self.outcome], timeout=CANCEL_GRACE_S)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
