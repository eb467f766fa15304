"""What an action wrote, as lines of text."""

from __future__ import annotations

import codecs
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flyteapi.admin.v1.run_service_pb2 import StreamLogsRequest
from flyteapi.common.v1.identity_pb2 import ActionId

if TYPE_CHECKING:
    from flyte.client.channel import Connection


async def stream_lines(
    platform: Connection, action: ActionId, *, attempt: int | None = None, follow: bool = False
) -> AsyncIterator[str]:
    """Yield the lines of an attempt (None: the latest) without their ends; `follow` stays until the action ends."""
    request = StreamLogsRequest(action=action, attempt=attempt or 0, follow=follow)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    async for piece in platform.stream(platform.runs.StreamLogs, request):
        *lines, rest = (rest + decoder.decode(piece.data)).split("\n")
        for line in lines:
            yield line
    if rest:
        yield rest


async def print_lines(
    platform: Connection, action: ActionId, *, attempt: int | None = None, follow: bool = True
) -> None:
    """Print the lines of an attempt as they come."""
    async for line in stream_lines(platform, action, attempt=attempt, follow=follow):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
