"""The clock and the sleep of `flyte.durable`."""

from __future__ import annotations

import functools
import time as clock
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Generic, ParamSpec, TypeVar

from flyte.authoring.calls import refuse_blocking_on_a_loop
from flyte.authoring.trace import trace

P = ParamSpec("P")
T = TypeVar("T")


class Durable(Generic[P, T]):
    """A function with an `.aio` face, both recorded under one name."""

    def __init__(self, blocking: Callable[P, T], awaited: Callable[P, Awaitable[T]]) -> None:
        self._blocking = blocking
        self._awaited = awaited
        functools.update_wrapper(self, blocking)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it."""
        return self._blocking(*args, **kwargs)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it without blocking the loop."""
        return await self._awaited(*args, **kwargs)


@trace
def read_clock() -> float:
    """Read the clock, in seconds since 1970; an attempt after this one is given the same."""
    return clock.time()


@trace
def wake_up_time(seconds: float) -> float:
    """Return when a sleep that begins now is over; an attempt after this one is given the same."""
    return clock.time() + seconds


def _time() -> float:
    """Return the time in seconds since 1970, the same in every attempt."""
    return read_clock()


async def _time_awaited() -> float:
    return read_clock()


def _now() -> datetime:
    """Return the local date and time, without a zone as `datetime.now()` gives it, the same in every attempt."""
    return datetime.fromtimestamp(read_clock())


async def _now_awaited() -> datetime:
    return _now()


def _sleep(seconds: float) -> None:
    """Sleep; a later attempt sleeps only for what is left of the time, and not at all when it is over.

    Raises ValueError for a negative time, and SyncTaskCallInAsyncContextError on a running event loop.
    """
    refuse_blocking_on_a_loop("flyte.durable.sleep(...)", instead="await flyte.durable.sleep.aio(...)")
    clock.sleep(_left(seconds))


async def _sleep_awaited(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(_left(seconds))


def _left(seconds: float) -> float:
    if seconds < 0:
        raise ValueError(f"a sleep must not be negative, got {seconds!r} s")
    return max(wake_up_time(float(seconds)) - clock.time(), 0.0)


time: Final = Durable(_time, _time_awaited)
now: Final = Durable(_now, _now_awaited)
sleep: Final = Durable(_sleep, _sleep_awaited)
