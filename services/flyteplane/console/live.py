"""Server-sent events: a stream of messages that a browser resumes where it lost it.

A message has an id; the browser sends the last one that it got when it connects again (`Last-Event-ID`). While nothing
happens a comment goes out now and then, so that a connection that is gone is noticed by both sides.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
from starlette.responses import StreamingResponse

from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from starlette.requests import Request

_QUIET_S: Final = 15.0
_RETRY_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event: a kind that the page listens for, and JSON."""

    kind: str
    data: Any = None
    id: str = ""
    """Where to go on after this; empty: as before."""

    def encoded(self) -> str:
        """As it is sent. JSON has no line breaks, so a message is one line of data."""
        name = f"id: {self.id}\n" if self.id else ""
        return f"{name}event: {self.kind}\ndata: {json.dumps(self.data)}\n\n"


def stream(messages: AsyncGenerator[Message, None]) -> StreamingResponse:
    """The answer. The messages' generator is closed when the browser goes away."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_encoded(messages), media_type="text/event-stream", headers=headers)


def last_seen(request: Request, *, otherwise: int) -> int:
    """The number that the browser has got to: that of its last message, or of the page's address."""
    for given in (request.headers.get("last-event-id", ""), request.query_params.get("from", "")):
        if given.isdecimal() and len(given) < 19:
            return int(given)
    return otherwise


async def _encoded(messages: AsyncGenerator[Message, None]) -> AsyncIterator[str]:
    yield f"retry: {_RETRY_MS}\n\n"
    following: asyncio.Task[Message | None] | None = None
    try:
        while True:
            following = following or asyncio.create_task(_next(messages))
            await asyncio.wait([following], timeout=_QUIET_S)
            if not following.done():
                yield ": still here\n\n"
                continue
            message, following = following.result(), None
            if message is None:
                return
            yield message.encoded()
    finally:
        # Whoever cancels a stream cancels every wait in here too, so what is open is closed by a task of its own.
        ending = asyncio.create_task(_close(messages, following))
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)


_ending: Final[set[asyncio.Task[None]]] = set()


async def _close(messages: AsyncGenerator[Message, None], following: asyncio.Task[Message | None] | None) -> None:
    if following is not None:
        following.cancel()
        await asyncio.wait([following])
    await messages.aclose()


async def _next(messages: AsyncGenerator[Message, None]) -> Message | None:
    """The next message; None after the last, and where the platform went away: the browser then asks again."""
    try:
        return await anext(messages, None)
    except (PlatformError, grpc.aio.AioRpcError):
        return None
