"""What an action wrote, as lines of text, unbroken whatever happens to the stream or to the platform.

A followed log that breaks off is asked for again, and what was seen of it is left out, so that no line is lost or
comes twice.
"""

from __future__ import annotations

import asyncio
import codecs
import random
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flyte.client.patience import pause_s
from flyte.errors import BaseRuntimeError
from flyte.remote.watching import is_passing
from flyteapi.admin.v1.run_service_pb2 import StreamLogsRequest, StreamLogsResponse
from flyteapi.common.v1.identity_pb2 import ActionId

if TYPE_CHECKING:
    from flyte.client.channel import Connection


async def stream_lines(
    platform: Connection,
    action: ActionId,
    *,
    attempt: int | None = None,
    follow: bool = False,
    must_answer: bool = True,
) -> AsyncIterator[str]:
    """Yield the lines of an attempt (None: the latest) without their ends.

    `follow` stays until the attempt has ended; with `attempt` None until the action has, over all attempts to come. A
    platform that restarts meanwhile is waited for; with `must_answer` one that is away from the beginning is an error.
    """
    text, current = _Text(), 0
    async for piece in _pieces(platform, action, attempt=attempt or 0, follow=follow, must_answer=must_answer):
        if piece.attempt != current:
            for line in text.rest():
                yield line
            text, current = _Text(), piece.attempt
        for line in text.lines(piece.data):
            yield line
    for line in text.rest():
        yield line


async def print_lines(
    platform: Connection,
    action: ActionId,
    *,
    attempt: int | None = None,
    follow: bool = True,
    must_answer: bool = True,
) -> None:
    """Print the lines of an attempt as they come."""
    async for line in stream_lines(platform, action, attempt=attempt, follow=follow, must_answer=must_answer):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class _Text:
    """Bytes of one attempt on their way to lines."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def lines(self, data: bytes) -> list[str]:
        """Return the lines that are complete now."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        return lines

    def rest(self) -> list[str]:
        """Return the last line if it has no end."""
        return [self._rest] if self._rest else []


async def _pieces(
    platform: Connection, action: ActionId, *, attempt: int, follow: bool, must_answer: bool
) -> AsyncIterator[StreamLogsResponse]:
    """Yield the pieces of a log, each byte once. After a break the attempt that was being read comes first."""
    seen: dict[int, int] = {}
    asked, broken = attempt, 0
    while True:
        position: dict[int, int] = {}
        try:
            request = StreamLogsRequest(action=action, attempt=asked, follow=follow)
            async for piece in platform.stream(platform.runs.StreamLogs, request):
                broken, must_answer = 0, False
                begin, known = position.get(piece.attempt, 0), seen.get(piece.attempt, 0)
                position[piece.attempt] = begin + len(piece.data)
                if position[piece.attempt] > known:
                    seen[piece.attempt] = position[piece.attempt]
                    yield StreamLogsResponse(data=piece.data[max(known - begin, 0) :], attempt=piece.attempt)
            if asked == attempt:
                return
            asked = attempt
        except BaseRuntimeError as error:
            if not follow or must_answer or not is_passing(error):
                raise
            asked = attempt or max(seen, default=0)
            await asyncio.sleep(pause_s(broken, jitter=random.random()))
            broken += 1
