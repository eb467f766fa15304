"""The list of runs: filtered, a page at a time, the first page live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flyteplane.console.live import stream
from flyteplane.console.live_lists import Lists, follow_lists
from flyteplane.console.pages.routes import page
from flyteplane.console.pages.scope import chosen_scope
from flyteplane.console.run_filter import run_filter
from flyteplane.console.run_list_changes import RunListWatch
from flyteplane.console.views.phases import PHASES
from flyteplane.console.views.runs import run_view

if TYPE_CHECKING:
    from starlette.responses import Response

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
    watch = RunListWatch(visit.platform, request)
    return stream(follow_lists(watch.changes(), lambda: _rows(visit, watch)))


async def _rows(visit: Visit, watch: RunListWatch) -> Lists:
    views = map(run_view, await watch.page())
    return {"runs": {view.key: visit.piece("run_row.html", run=view) for view in views}}


# The stream first: "events" is no name of a project, but the router asks in this order.
ROUTES: Final = (page("/runs", runs), page("/runs/events", events))
