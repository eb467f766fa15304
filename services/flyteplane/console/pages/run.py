"""One run: its tree, a window at a time; what happens to it, live; and what can be done to it."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flyte.spec.child_names import ROOT_ACTION
from flyteapi.admin.v1.run_service_pb2 import (
    AbortRunRequest,
    CountActionsRequest,
    GetRunRequest,
    ListRunsRequest,
    RerunRunRequest,
)
from flyteapi.common.v1.identity_pb2 import RunId
from flyteplane.console.live import Message, last_seen, stream
from flyteplane.console.pacing import pause_after
from flyteplane.console.pages.routes import change, page
from flyteplane.console.run_changes import Changes, RunWatch
from flyteplane.console.tree import Tree
from flyteplane.console.views.actions import families, group_key
from flyteplane.console.views.paths import action_path, rerun_path, run_path
from flyteplane.console.views.phases import phase_of_code
from flyteplane.console.views.runs import run_details, run_view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from starlette.responses import Response

    from flyteapi.scheduler.v1.scheduler_service_pb2 import CountActionsResponse
    from flyteplane.console.views.actions import ActionView, PhaseCount
    from flyteplane.console.views.phases import PhaseView
    from flyteplane.console.visit import Visit

_ROOT: Final = ROOT_ACTION
_MOST_REASON: Final = 1024
_MOST_REPEATED: Final = 20


def run_of(visit: Visit) -> RunId:
    """The run that the path names."""
    return RunId(project=visit.named["project"], domain=visit.named["domain"], name=visit.named["run"])


async def run(visit: Visit) -> Response:
    """The page of a run, with the first window of its tree."""
    named = run_of(visit)
    found = await visit.platform.runs.GetRun(GetRunRequest(run=named))
    # Counted before anything is listed: events from that sequence on are all that the page can have missed.
    counted = await visit.platform.runs.CountActions(CountActionsRequest(run=named))
    tree, phase = Tree(visit.platform, named), phase_of_code(visit.query.get("phase", ""))
    with_this_source = ListRunsRequest(
        project=named.project, domain=named.domain, source=named, page_size=_MOST_REPEATED
    )
    first = tree.window(_ROOT) if phase is None else tree.in_phase(phase)
    roots, window, repeated = await asyncio.gather(
        tree.named([_ROOT]), first, visit.platform.runs.ListRuns(with_this_source)
    )
    return visit.render(
        "run.html",
        run=run_view(found.run),
        details=run_details(found, repeated_by=repeated.runs, request_id=secrets.token_hex(16)),
        counts=_whole(counted.counts),
        root=roots[0] if roots else None,
        window=window,
        chosen=phase,
        events=f"{run_path(named)}/events?{urlencode({'from': counted.next_sequence, **_asked(phase)})}",
        recover=rerun_path(named, recover=True),
        change_and_run=rerun_path(named),
    )


async def window(visit: Visit) -> Response:
    """A window of the tree, or of the actions in a phase, as a piece of the page."""
    query, tree = visit.query, Tree(visit.platform, run_of(visit))
    token, phase = query.get("token", ""), phase_of_code(query.get("phase", ""))
    if phase is not None:
        found = await tree.in_phase(phase, token=token)
    else:
        found = await tree.window(query.get("parent", _ROOT), group=query.get("group"), token=token)
    return visit.render("tree_window.html", window=found, base=run_path(run_of(visit)))


async def events(visit: Visit) -> Response:
    """What happens from a sequence on."""
    named = run_of(visit)
    # Whoever may not see the run is told so by a status, not by a stream that breaks.
    await visit.platform.runs.GetRun(GetRunRequest(run=named))
    return stream(_updates(visit, named, from_sequence=last_seen(visit.request, otherwise=1)))


async def _updates(visit: Visit, named: RunId, *, from_sequence: int) -> AsyncGenerator[Message, None]:
    watch = RunWatch(visit.platform, named, from_sequence=from_sequence)
    async for changes in watch.changes():
        begun = time.monotonic()
        yield Message(kind="update", data=await _update(visit, named, changes), id=str(changes.next_sequence))
        if changes.ended:
            yield Message(kind="ended")
            return
        await asyncio.sleep(pause_after(time.monotonic() - begun))


async def _update(visit: Visit, named: RunId, changes: Changes) -> dict[str, Any]:
    """The rows that changed as they are now, the counts, and the head if the run itself changed."""
    tree = Tree(visit.platform, named)
    counted = await visit.platform.runs.CountActions(CountActionsRequest(run=named))
    update: dict[str, Any] = {
        "rows": [],
        "many": changes.many,
        "counts": visit.piece(
            "phase_counts.html",
            counts=_whole(counted.counts),
            path=run_path(named),
            chosen=phase_of_code(visit.query.get("phase", "")),
        ),
    }
    if changes.names and not changes.many:
        update["rows"] = await _rows(visit, tree, await tree.named(changes.names))
    if changes.ended or changes.many or _ROOT in changes.names:
        found = await visit.platform.runs.GetRun(GetRunRequest(run=named))
        update["head"] = visit.piece("run_head.html", run=run_view(found.run))
        update["phase"] = run_view(found.run).phase.code
    return update


async def _rows(visit: Visit, tree: Tree, actions: Sequence[ActionView]) -> list[dict[str, str]]:
    rows = [
        {
            "key": action.key,
            "list": group_key(action.parent, action.group) if action.group else f"action-{action.parent}",
            "html": visit.piece("tree_action.html", action=action),
        }
        for action in actions
    ]
    parents = sorted({action.parent for action in actions if action.group})
    if parents:
        counted = await tree.families(parents)
        groups = [group for parent in parents for group in counted.groups(parent)]
        rows += [
            {
                "key": group.key,
                "list": f"action-{group.parent}",
                "html": visit.piece("tree_group.html", group=group),
            }
            for group in groups
        ]
    return rows


def _asked(phase: PhaseView | None) -> dict[str, str]:
    return {"phase": phase.code} if phase is not None else {}


def _whole(counts: Iterable[CountActionsResponse.Count]) -> Sequence[PhaseCount]:
    return families(counts).children("")


async def abort(visit: Visit) -> Response:
    """Abort the run, or one action with everything below it."""
    named, action = run_of(visit), str(visit.form.get("action") or "")
    reason = str(visit.form.get("reason") or "")[:_MOST_REASON] or f"Aborted by {visit.session.subject} in the console."
    await visit.platform.runs.AbortRun(AbortRunRequest(run=named, action=action, reason=reason))
    return visit.go_to(action_path(named, action) if action else run_path(named))


async def rerun(visit: Visit) -> Response:
    """Run the same again. The form's own id makes a second click the same run."""
    request_id = str(visit.form.get("request_id") or secrets.token_hex(16))
    started = await visit.platform.runs.RerunRun(RerunRunRequest(source=run_of(visit), request_id=request_id))
    return visit.go_to(run_path(started.run.id))


_PATH: Final = "/runs/{project}/{domain}/{run}"
ROUTES: Final = (
    page(_PATH, run),
    page(f"{_PATH}/tree", window),
    page(f"{_PATH}/events", events),
    change(f"{_PATH}/abort", abort),
    change(f"{_PATH}/rerun", rerun),
)
