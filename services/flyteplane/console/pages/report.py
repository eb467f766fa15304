"""The HTML report of an attempt, as it was last written.

Users wrote it, and it may hold anything. It is answered as a page of no origin (`sandbox`, see `security`): it runs no
script, loads and sends nothing, and cannot reach the page around it, in a frame or opened by itself.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from flyteapi.admin.v1.data_service_pb2 import DownloadObjectRequest
from flyteapi.admin.v1.run_service_pb2 import GetActionRequest
from flyteplane.console.pages.action import action_of
from flyteplane.console.pages.routes import page
from flyteplane.console.security import POLICY_OF_REPORTS
from flyteplane.foundation.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from flyteplane.console.visit import Visit

_NAME: Final = "report.html"
_MOST_BYTES: Final = 32 * 1024 * 1024


async def report(visit: Visit) -> Response:
    """The report for the frame. Unchanged since the browser read it last: 304 and nothing else."""
    content = await _content(visit)
    mark = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "content-security-policy": POLICY_OF_REPORTS,
        "x-frame-options": "SAMEORIGIN",
        "cache-control": "private, no-cache",
        "etag": mark,
    }
    if visit.request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


async def download(visit: Visit) -> Response:
    """The report as a file."""
    named = action_of(visit)
    filename = f"{named.run.name}-{named.name}-{_NAME}"
    headers = {
        "content-security-policy": POLICY_OF_REPORTS,
        "content-disposition": f'attachment; filename="{filename}"',
    }
    return Response(await _content(visit), media_type="application/octet-stream", headers=headers)


async def _content(visit: Visit) -> bytes:
    found = await visit.platform.runs.GetAction(GetActionRequest(action=action_of(visit)))
    places = {str(attempt.attempt): attempt.data_prefix for attempt in found.attempts}
    place = places.get(visit.query.get("attempt") or max(places, key=int, default=""))
    if place is None:
        raise NotFound("there is no report")
    content = bytearray()
    async for piece in visit.platform.data.DownloadObject(DownloadObjectRequest(uri=f"{place}{_NAME}")):
        content += piece.data
        if len(content) > _MOST_BYTES:
            raise InvalidArgument("the report is too large to be shown", limit=f"{_MOST_BYTES >> 20} MiB")
    return bytes(content)


_PATH: Final = "/runs/{project}/{domain}/{run}/actions/{action}/report"
ROUTES: Final = (page(_PATH, report), page(f"{_PATH}/download", download))
