"""One attempt of a task in this process, within its time.

An async task runs on the loop of the local run; one that is out of time is cancelled. A synchronous task runs on a
thread of its own, so that it may block and call children; a thread cannot be killed, so one that is out of time is
given up at once and asked to stop: an exception is raised in it as soon as it runs Python code again.

Whatever user code raises comes out as an Exception: a SystemExit that got through would end the loop of all runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from flyte.errors import RuntimeUserError

T = TypeVar("T")

CANCEL_GRACE_S: Final = 5.0
"""How long a cancelled async task may take to clean up before it is left behind."""


class OutOfTime(Exception):
    """The attempt did not end within its limit."""


class StopThread(BaseException):
    """Raised inside the thread of an attempt that was given up."""


async def run_async(attempt: Callable[[], Coroutine[Any, Any, T]], *, limit_s: float | None) -> T:
    """Return the result of a coroutine function. Raises OutOfTime when it takes longer than the limit."""
    task = asyncio.ensure_future(_contained(attempt))
    if limit_s is None:
        return await _unless_cancelled(task)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        await _cancel(task)
        raise
    if done:
        return await _unless_cancelled(task)
    await _cancel(task)
    raise OutOfTime


async def _unless_cancelled(task: asyncio.Future[T]) -> T:
    """Return the result of a task; one that has cancelled itself has failed, and its caller goes on."""
    try:
        return await task
    except asyncio.CancelledError as error:
        caller = asyncio.current_task()
        if caller is not None and caller.cancelling():
            raise
        raise as_exception(error) from error


async def _contained(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return await attempt()
    except Exception:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise as_exception(error) from error
    except BaseException as error:
        raise as_exception(error) from error


async def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
    if task.done() and not task.cancelled():
        task.exception()  # Seen, so that asyncio does not complain of it later.


async def run_in_thread(function: Callable[[], T], *, limit_s: float | None) -> T:
    """Return the result of a function that runs on a thread of its own, in a copy of the current context.

    Raises OutOfTime when it takes longer than the limit.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)

    def body() -> None:
        # All of it: one that is given up while it tells its outcome ends as silently as one that is given up before.
        with suppress(StopThread):
            carry_out()

    def carry_out() -> None:
        try:
            result = context.run(function)
        except StopThread:
            raise
        except BaseException as error:
            _tell(loop, settle, None, as_exception(error))
        else:
            _tell(loop, settle, result, None)

    thread = threading.Thread(target=body, name="flyte-local-task", daemon=True)
    thread.start()
    try:
        if limit_s is None:
            return await outcome
        return await asyncio.wait_for(outcome, limit_s)
    except TimeoutError:
        if outcome.done() and not outcome.cancelled():
            raise
        stop_thread(thread)
        raise OutOfTime from None
    except asyncio.CancelledError:
        stop_thread(thread)
        raise


def as_exception(error: BaseException) -> Exception:
    """Return what user code raised as an error that can pass through futures and loops.

    One that ends programs, loops or generators becomes a RuntimeUserError under its own name, as on a platform.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    message = str(error)
    if isinstance(error, SystemExit):
        message = f"The task called sys.exit({'' if error.code is None else repr(error.code)})."
    carried = RuntimeUserError(type(error).__name__, message)
    carried.__cause__ = error
    return carried


def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], *outcome: Any) -> None:
    try:
        loop.call_soon_threadsafe(settle, *outcome)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return


def stop_thread(thread: threading.Thread) -> None:
    """Ask a thread to stop as soon as it runs Python code again."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(StopThread))
