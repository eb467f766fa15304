"""The wrappers that `syncify` makes: a blocking call with an `.aio` twin, for functions, generators and methods."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from flyte.syncify.background_loop import BackgroundLoop

P = ParamSpec("P")
T = TypeVar("T")
Owner = TypeVar("Owner")

_END: Final = object()


class SyncFunction(Generic[P, T]):
    """A coroutine function that is called as a blocking one, or awaited as `.aio`."""

    def __init__(self, function: Callable[P, Coroutine[Any, Any, T]], *, background: BackgroundLoop) -> None:
        self._function = function
        self._background = background
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run to the end and return the result."""
        return self._background.run(self._function(*args, **kwargs), what=self._function.__qualname__)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Await the result, from any event loop."""
        return await self._background.await_from_anywhere(self._function(*args, **kwargs))

    def __get__(self, instance: Any, owner: type[Any]) -> SyncFunction[..., T]:
        if instance is None:
            return self
        return SyncFunction(self._function.__get__(instance, owner), background=self._background)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _pickled(self, self._function, self._background)


class SyncGenerator(Generic[P, T]):
    """An async generator function that is iterated as a blocking one, or with `async for` as `.aio`."""

    def __init__(self, function: Callable[P, AsyncIterator[T]], *, background: BackgroundLoop) -> None:
        self._function = function
        self._background = background
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Return an iterator that blocks for each item."""
        return self._iterate(self._function(*args, **kwargs))

    def _iterate(self, source: AsyncIterator[T]) -> Iterator[T]:
        what = getattr(self._function, "__qualname__", repr(self._function))
        cursor = _Cursor(source)
        try:
            while (item := self._background.run(cursor.next(), what=what)) is not _END:
                yield item
        finally:
            # At the end of the program the loop's thread is gone: nobody is left to close a dropped iterator.
            if not self._background.is_current() and not sys.is_finalizing():
                self._background.run(cursor.close(), what=what)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        """Iterate from any event loop."""
        cursor = _Cursor(self._function(*args, **kwargs))
        try:
            while (item := await self._background.await_from_anywhere(cursor.next())) is not _END:
                yield item
        finally:
            await self._background.await_from_anywhere(cursor.close())

    def __get__(self, instance: Any, owner: type[Any]) -> SyncGenerator[..., T]:
        if instance is None:
            return self
        return SyncGenerator(self._function.__get__(instance, owner), background=self._background)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _pickled(self, self._function, self._background)


def _pickled(face: Any, function: Any, background: BackgroundLoop) -> str | tuple[Any, ...]:
    """Return how a face is pickled: by its name where it can be imported, else by what it wraps.

    What a program's main module defines is never named: another process has another one.
    """
    name, module = getattr(face, "__qualname__", ""), getattr(face, "__module__", "__main__")
    if module != "__main__" and getattr(sys.modules.get(module), name, None) is face:
        return name
    return _restored, (type(face), function, background is syncify.background)


def _restored(kind: Callable[..., Any], function: Any, is_shared: bool) -> Any:
    """Make a face again, on the loop of the SDK or on one of its own. A bound method comes back as a face already."""
    if isinstance(function, SyncFunction | SyncGenerator):
        return function
    return kind(function, background=syncify.background if is_shared else BackgroundLoop())


class _Cursor(Generic[T]):
    """Steps through an async generator on the background loop, and closes it also in the middle of a step."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self._source = source
        self._step: asyncio.Task[Any] | None = None

    async def next(self) -> T:
        """Return the next item, or the mark of the end."""
        self._step = asyncio.current_task()
        try:
            return await anext(self._source, _END)  # type: ignore[arg-type]
        finally:
            self._step = None

    async def close(self) -> None:
        """End the generator. A step that its caller no longer waits for is cancelled and ended first."""
        if self._step is not None:
            self._step.cancel()
            await asyncio.wait({self._step})
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


class SyncMethod(Generic[Owner, P, T]):
    """A coroutine method with the two faces; what `instance.method` gives is a `SyncFunction`."""

    def __init__(
        self, function: Callable[Concatenate[Owner, P], Coroutine[Any, Any, T]], *, background: BackgroundLoop
    ) -> None:
        self._function = function
        self._background = background
        self.__doc__ = function.__doc__

    def __get__(self, instance: Owner, owner: type[Owner]) -> SyncFunction[P, T]:
        return SyncFunction(self._function.__get__(instance, owner), background=self._background)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _pickled(self, self._function, self._background)


class SyncClassMethod(Generic[P, T]):
    """The same for a class method."""

    def __init__(
        self, function: Callable[Concatenate[type[Any], P], Coroutine[Any, Any, T]], *, background: BackgroundLoop
    ) -> None:
        self._function = function
        self._background = background
        self.__doc__ = function.__doc__

    def __get__(self, instance: object, owner: type[Any]) -> SyncFunction[P, T]:
        return SyncFunction(self._function.__get__(None, owner), background=self._background)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _pickled(self, self._function, self._background)


class SyncIteratorMethod(Generic[Owner, P, T]):
    """An async generator method with the two faces."""

    def __init__(
        self, function: Callable[Concatenate[Owner, P], AsyncIterator[T]], *, background: BackgroundLoop
    ) -> None:
        self._function = function
        self._background = background
        self.__doc__ = function.__doc__

    def __get__(self, instance: Owner, owner: type[Owner]) -> SyncGenerator[P, T]:
        return SyncGenerator(self._function.__get__(instance, owner), background=self._background)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _pickled(self, self._function, self._background)


class SyncIteratorClassMethod(Generic[P, T]):
    """An async generator class method with the two faces."""

    def __init__(
        self, function: Callable[Concatenate[type[Any], P], AsyncIterator[T]], *, background: BackgroundLoop
    ) -> None:
        self._function = function
        self._background = background
        self.__doc__ = function.__doc__

    def __get__(self, instance: object, owner: type[Any]) -> SyncGenerator[P, T]:
        return SyncGenerator(self._function.__get__(None, owner), background=self._background)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _pickled(self, self._function, self._background)


class Syncify:
    """Makes dual faces over one background loop. An instance is a decorator."""

    def __init__(self, name: str = "flyte_syncify", *, background: BackgroundLoop | None = None) -> None:
        self.background = background or BackgroundLoop(name=name)

    @overload
    def __call__(self, obj: Callable[P, Coroutine[Any, Any, T]]) -> SyncFunction[P, T]: ...
    @overload
    def __call__(self, obj: Callable[P, AsyncIterator[T]]) -> SyncGenerator[P, T]: ...
    def __call__(self, obj: Any) -> Any:
        """Wrap a coroutine function or an async generator function; a method, class method or static method too.

        Raises TypeError for anything else.
        """
        if isinstance(obj, classmethod):
            return self._class_method(obj)
        function = obj.__func__ if isinstance(obj, staticmethod) else obj
        face = self._face(function)
        return staticmethod(face) if isinstance(obj, staticmethod) else face

    def _face(self, function: Callable[..., Any]) -> Any:
        if inspect.isasyncgenfunction(function):
            return SyncGenerator(function, background=self.background)
        if inspect.iscoroutinefunction(function):
            return SyncFunction(function, background=self.background)
        raise TypeError(f"syncify takes an async function or an async generator function, got {function!r}")

    def _class_method(self, method: classmethod[Any, Any, Any]) -> Any:
        # The class method itself is kept: it is what binds the class when it is looked up.
        bound: Any = method
        if inspect.isasyncgenfunction(method.__func__):
            return SyncIteratorClassMethod(bound, background=self.background)
        self._face(method.__func__)
        return SyncClassMethod(bound, background=self.background)

    def method(self, function: Callable[Concatenate[Owner, P], Coroutine[Any, Any, T]]) -> SyncMethod[Owner, P, T]:
        """Wrap a coroutine method and keep its types."""
        return SyncMethod(function, background=self.background)

    def class_method(
        self, function: Callable[Concatenate[type[Any], P], Coroutine[Any, Any, T]]
    ) -> SyncClassMethod[P, T]:
        """Wrap a coroutine class method; stands above `@classmethod`, which type checkers see through."""
        return SyncClassMethod(function, background=self.background)

    def iterator_method(
        self, function: Callable[Concatenate[Owner, P], AsyncIterator[T]]
    ) -> SyncIteratorMethod[Owner, P, T]:
        """Wrap an async generator method."""
        return SyncIteratorMethod(function, background=self.background)

    def iterator_class_method(
        self, function: Callable[Concatenate[type[Any], P], AsyncIterator[T]]
    ) -> SyncIteratorClassMethod[P, T]:
        """Wrap an async generator class method; stands above `@classmethod`."""
        return SyncIteratorClassMethod(function, background=self.background)


syncify: Final = Syncify()
