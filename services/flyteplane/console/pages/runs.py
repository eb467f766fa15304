"""The list of runs: filtered, a page at a time, the first page live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from flyteplane.console.live import Message, stream
from flyteplane.console.pages.routes import page
from flyteplane.console.pages.scope import chosen_scope
from flyteplane.console.run_filter import run_filter
from flyteplane.console.run_list_changes import RunListWatch
from flyteplane.console.views.phases import PHASES
from flyteplane.console.views.runs import run_view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.responses import Response

    from flyteapi.admin.v1.run_service_pb2 import ListRunsRequest
    from flyteplane.console.visit import Visit


async def runs(visit: Visit) -> Response:
    """A page of runs, the newest first."""
    scope, token = await chosen_scope(visit), visit.query.get("page", "")
    where = run_filter(visit.request.query_params, project=scope.project, domain=scope.domain)
    found = await visit.platform.runs.ListRuns(where.request(now=datetime.now(UTC), token=token))
    return visit.render(
        "runs.html",
        scope=scope,
        filter=where,
        phases=PHASES,
        runs=[run_view(run) for run in found.runs],
        following=found.next_page_token,
        live="" if token else f"/runs/events?{where.query}",
    )


async def events(visit: Visit) -> Response:
    """The first page as it changes."""
    scope = await chosen_scope(visit)
    where = run_filter(visit.request.query_params, project=scope.project, domain=scope.domain)
    request = where.request(now=datetime.now(UTC))
    # Whoever may not see the list is told so by a status, not by a stream that breaks.
    await visit.platform.runs.ListRuns(request)
    return stream(_pages(visit, request))


async def _pages(visit: Visit, request: ListRunsRequest) -> AsyncGenerator[Message, None]:
    """The names of the runs in their order, and the rows of those that are not as they were."""
    shown: dict[str, str] = {}
    async for found in RunListWatch(visit.platform, request).pages():
        rows = {}
        for view in map(run_view, found):
            rows[view.key] = visit.piece("run_row.html", run=view)
        changed: dict[str, Any] = {key: html for key, html in rows.items() if shown.get(key) != html}
        if changed or list(shown) != list(rows):
            shown = rows
            yield Message(kind="list", data={"order": list(rows), "rows": changed})


# The stream first: "events" is no name of a project, but the router asks in this order.
ROUTES: Final = (page("/runs", runs), page("/runs/events", events))
