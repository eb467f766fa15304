"""The calls of a `flyte.map` that are under way: as many as the window allows, a new one when one ends.

Arguments are taken from their iterators when their call begins, so with a window the iterators may be long, or without
an end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class MapWindow:
    """Begins with the first calls at once.

    Args:
        submit: makes one call.
        arguments: of the calls, in order.
        size: the most calls at once; 0 for no limit.
    """

    def __init__(
        self,
        submit: Callable[[tuple[Any, ...], dict[str, Any]], Awaitable[Any]],
        arguments: Iterator[Arguments],
        *,
        size: int,
    ) -> None:
        self._submit = submit
        self._arguments = arguments
        self._size = size
        self._running = 0
        self._exhausted = False
        self._broken: Exception | None = None
        self._calls: deque[asyncio.Future[Any]] = deque()
        self._fill()

    def first(self) -> asyncio.Future[Any] | None:
        """Return the first call whose result was not taken; None when there is none left.

        Raises what the arguments' iterator has raised, after the calls before it.
        """
        if self._calls:
            return self._calls[0]
        if self._broken is not None:
            raise self._broken
        return None

    def drop_first(self) -> None:
        """Forget the first call."""
        self._calls.popleft()

    async def cancel(self) -> None:
        """Begin no more calls, cancel those that run, and wait until they have ended."""
        self._exhausted = True
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _fill(self) -> None:
        while not self._exhausted and (self._size == 0 or self._running < self._size):
            try:
                args, kwargs = next(self._arguments)
            except StopIteration:
                self._exhausted = True
            except Exception as error:
                self._exhausted = True
                self._broken = error
            else:
                self._running += 1
                call = asyncio.ensure_future(self._submit(args, kwargs))
                if self._size:
                    call.add_done_callback(self._ended)
                self._calls.append(call)

    def _ended(self, _call: asyncio.Future[Any]) -> None:
        self._running -= 1
        self._fill()
