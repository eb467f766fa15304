"""Streams that end with the credential that opened them.

A watch may be open for hours. While it is, its caller is looked at again: at once when a key is revoked or a role is
taken away in this process, and every few seconds for what happened elsewhere. That the answer cannot be had for a
while ends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError, Unavailable

LOOK_AGAIN_S: Final = 5.0

#: Returns while the stream may go on, and raises the refusal once it may not.
Check = Callable[[], Awaitable[object]]


async def serve_while_allowed(
    serving: Coroutine[Any, Any, None], check: Check, *, changed: Callable[[], Awaitable[None]], clock: TimerClock
) -> None:
    """Serve a stream, until it ends or its caller may have it no longer. Raises what either raises."""
    stream = asyncio.ensure_future(serving)
    guard = asyncio.ensure_future(_refused(check, changed=changed, clock=clock))
    try:
        await asyncio.wait((stream, guard), return_when=asyncio.FIRST_COMPLETED)
        if not stream.done():
            raise guard.result()
        stream.result()
    finally:
        for task in (stream, guard):
            task.cancel()
        # A stream that is cut off still closes what it had open.
        await asyncio.gather(stream, guard, return_exceptions=True)


async def _refused(check: Check, *, changed: Callable[[], Awaitable[None]], clock: TimerClock) -> PlatformError:
    while True:
        # Listened to before the look: what changes while it is under way makes for another one.
        change = asyncio.ensure_future(changed())
        try:
            await asyncio.sleep(0)
            if refusal := await _refusal(check):
                return refusal
            await _done_or_later(change, clock)
        finally:
            change.cancel()


async def _refusal(check: Check) -> PlatformError | None:
    try:
        await check()
    except Unavailable:
        return None
    except PlatformError as refusal:
        return refusal
    return None


async def _done_or_later(change: asyncio.Future[None], clock: TimerClock) -> None:
    later = asyncio.ensure_future(clock.sleep(LOOK_AGAIN_S))
    try:
        await asyncio.wait((change, later), return_when=asyncio.FIRST_COMPLETED)
    finally:
        later.cancel()
