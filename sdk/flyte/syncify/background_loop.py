"""The loop that carries the SDK's own coroutines, in a daemon thread that starts with its first use.

A forked child inherits the object but not the thread; it is given a new loop on first use, so a worker forked from a
template never waits for a thread that does not exist.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from typing import Any, Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")
TaskFactory: TypeAlias = Callable[..., asyncio.Task[Any]]

CANCEL_GRACE_S: Final = 5.0
"""How long an interrupted call may take to clean up before its caller goes on."""

SIGNAL_WITHIN_S: Final = 1.0
"""How late a Ctrl-C may be noticed that came at the worst moment."""


class BlockingCallOnServingLoop(AssertionError):
    """A blocking call was made from the loop that would have to serve it. Await the `.aio` form instead."""


class BackgroundLoop:
    """An event loop in a thread of its own."""

    def __init__(self, *, name: str = "flyte-syncify", task_factory: TaskFactory | None = None) -> None:
        self._name = name
        self._task_factory = task_factory
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
        loop.set_task_factory(self._task_factory)
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
            return _result_of(call.outcome)
        except BaseException:
            call.end()
            raise

    async def await_from_anywhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine on this loop, from whatever loop the caller runs on.

        Cancelling the caller cancels it, and waits until it has ended.
        """
        if self.is_current():
            return await coroutine
        call = _Call(coroutine, self.loop())
        call.begin()
        ended = asyncio.wrap_future(call.outcome)
        ended.add_done_callback(_look_at)
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            if not ended.done():
                call.cancel()
                await asyncio.wait({ended}, timeout=CANCEL_GRACE_S)
            raise


def _result_of(outcome: Future[T]) -> T:
    """The result, waited for. A signal that comes just before the thread falls asleep does not wake it, so the thread
    wakes by itself from time to time and lets Python look."""
    while True:
        try:
            return outcome.result(SIGNAL_WITHIN_S)
        except TimeoutError:
            if outcome.done():
                return outcome.result()


def _look_at(ended: asyncio.Future[Any]) -> None:
    """See how it ended, so that asyncio does not complain of an error that a cancelled caller never asks for."""
    if not ended.cancelled():
        ended.exception()


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
            self.cancel()
            wait([self.outcome], timeout=CANCEL_GRACE_S)

    def cancel(self) -> None:
        """Cancel the coroutine; it may take a while to end."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
