"""Deterministic interleaving: something happens as a whole right before a chosen call of a port.

A use case that makes several calls of a store is interrupted before each of them in turn. What happens there is all
that somebody else may do beside it, so every order of two callers is tried without threads, sleeps or luck.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

Port = TypeVar("Port")


class _Interrupted:
    def __init__(self, port: object, event: Callable[[], Awaitable[object]], before: int, after: int) -> None:
        self._port = port
        self._event = event
        self._before = before
        self._after = after
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def counted(*given: Any, **named: Any) -> Any:
            self._calls += 1
            number = self._calls
            if number == self._before:
                await self._event()
            answer = await call(*given, **named)
            if number == self._after:
                await self._event()
            return answer

        return counted


def interrupted(port: Port, event: Callable[[], Awaitable[object]], *, before: int = 0, after: int = 0) -> Port:
    """The port as one caller sees it: right before or after one of its calls the event takes place, as a whole.

    Calls are numbered from 1 on. An event that raises stands for an answer that is lost. If there are fewer calls the
    event never takes place.
    """
    return cast("Port", _Interrupted(port, event, before, after))
