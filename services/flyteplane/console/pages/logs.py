"""Logs of an attempt: live and afterwards, as lines for the page or whole as a file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse

from flyteapi.admin.v1.run_service_pb2 import GetActionRequest, StreamLogsRequest
from flyteapi.common.v1.identity_pb2 import ActionId
from flyteplane.console.live import Message, last_seen, stream
from flyteplane.console.log_tail import LogTail
from flyteplane.console.pacing import paced
from flyteplane.console.pages.action import action_of
from flyteplane.console.pages.routes import page
from flyteplane.foundation.errors import NotFound

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit


async def lines(visit: Visit) -> Response:
    """The log as it is, and as it grows until the attempt has ended."""
    named, attempt = action_of(visit), _attempt(visit)
    await visit.platform.runs.GetAction(GetActionRequest(action=named))
    return stream(_lines(visit, named, attempt, after=last_seen(visit.request, otherwise=0)))


async def _lines(visit: Visit, named: ActionId, attempt: int, *, after: int) -> AsyncGenerator[Message, None]:
    """The lines behind the first `after`."""
    tail = LogTail(after=after)

    async def written() -> AsyncGenerator[None, None]:
        request = StreamLogsRequest(action=named, attempt=attempt, follow=True)
        async for part in visit.platform.runs.StreamLogs(request):
            tail.add(part.data)
            yield

    async with aclosing(paced(written())) as times:
        async for _ in times:
            for message in tail.messages():
                yield message
    for message in tail.messages(ended=True):
        yield message
    yield Message(kind="ended")


async def download(visit: Visit) -> Response:
    """The whole log so far, as the worker wrote it."""
    named, attempt = action_of(visit), _attempt(visit)
    await visit.platform.runs.GetAction(GetActionRequest(action=named))
    parts = visit.platform.runs.StreamLogs(StreamLogsRequest(action=named, attempt=attempt))

    async def content() -> AsyncIterator[bytes]:
        async for part in parts:
            yield part.data

    filename = f"{named.run.name}-{named.name}-{attempt or 'latest'}.log"
    headers = {"content-disposition": f'attachment; filename="{filename}"'}
    return StreamingResponse(content(), media_type="text/plain; charset=utf-8", headers=headers)


def _attempt(visit: Visit) -> int:
    """The attempt that the address names; 0 for the latest."""
    text = visit.query.get("attempt", "0")
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise NotFound("there is no such attempt")
    return int(text)


_PATH: Final = "/runs/{project}/{domain}/{run}/actions/{action}/logs"
ROUTES: Final = (page(_PATH, lines), page(f"{_PATH}/download", download))
