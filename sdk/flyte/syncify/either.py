"""Methods that the peer SDK has as plain coroutines, and that scripts want to call without a loop.

Called where an event loop runs they give something to await, or to iterate with `async for`; called anywhere else they
block. `.aio` is awaited everywhere, as with every other function of the SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from flyte.syncify.faces import SyncFunction, SyncGenerator, syncify

P = ParamSpec("P")
T = TypeVar("T")
Owner = TypeVar("Owner")


class Settled:
    """A result that is there, and that is taken for the coroutine that gives it by `await` and `asyncio.run`.

    In the peer SDK these methods give coroutines, so scripts say `asyncio.run(action.details())`; here the call has
    blocked, and this is what it returns.
    """

    def __await__(self) -> Generator[Any, None, Self]:
        return self
        yield

    def send(self, value: Any) -> Any:
        """End as a coroutine does, with this as its result."""
        raise StopIteration(self)

    def throw(self, error: BaseException) -> Any:
        """Raise the error, as a coroutine does that does not catch it."""
        raise error

    def close(self) -> None:
        """Do nothing: it has ended."""


class EitherFunction(SyncFunction[P, T]):
    """A coroutine function whose call blocks outside of event loops, and is awaited inside."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run to the end and return the result, or return what gives it when awaited."""
        return self.aio(*args, **kwargs) if _loop_runs() else super().__call__(*args, **kwargs)


class EitherMethod(Generic[Owner, P, T]):
    """The same for a method."""

    def __init__(self, function: Callable[Concatenate[Owner, P], Coroutine[Any, Any, T]]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Owner, owner: type[Owner]) -> EitherFunction[P, T]:
        return EitherFunction(self._function.__get__(instance, owner), background=syncify.background)


class EitherIterator(Generic[T]):
    """What is iterated with `for` or with `async for`."""

    def __init__(self, blocking: Callable[[], Iterator[T]], awaited: Callable[[], AsyncIterator[T]]) -> None:
        self._blocking = blocking
        self._awaited = awaited

    def __iter__(self) -> Iterator[T]:
        return self._blocking()

    def __aiter__(self) -> AsyncIterator[T]:
        return self._awaited()


class EitherGenerator(SyncGenerator[P, T]):
    """An async generator function whose result is iterated in either way."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return what can be iterated in both ways."""
        blocking = super().__call__
        return EitherIterator(lambda: blocking(*args, **kwargs), lambda: self.aio(*args, **kwargs))


class EitherIteratorMethod(Generic[Owner, P, T]):
    """The same for a method."""

    def __init__(self, function: Callable[Concatenate[Owner, P], AsyncIterator[T]]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Owner, owner: type[Owner]) -> EitherGenerator[P, T]:
        return EitherGenerator(self._function.__get__(instance, owner), background=syncify.background)


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
