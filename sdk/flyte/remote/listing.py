"""Lists that come a page at a time, as one stream of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flyte.remote.phases import phases_to_proto
from flyte.spec.phases import ActionPhase
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState

if TYPE_CHECKING:
    from flyte.client.channel import Connection

PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """A span of time; an open end is None."""

    after: datetime | None = None
    before: datetime | None = None


async def list_runs(
    platform: Connection,
    *,
    limit: int,
    project: str,
    domain: str,
    in_phase: Iterable[ActionPhase | str] | None = None,
    task_name: str = "",
    created_by: str = "",
    created_at: TimeFilter | None = None,
    labels: Mapping[str, str] | None = None,
) -> AsyncIterator[api.Run]:
    """Yield runs, the newest first, at most `limit`."""
    request = api.ListRunsRequest(
        project=project,
        domain=domain,
        task_name=task_name,
        phases=phases_to_proto(in_phase),
        created_by=created_by,
        labels=labels or {},
    )
    if created_at is not None and created_at.after is not None:
        request.created_after.FromDatetime(created_at.after)
    if created_at is not None and created_at.before is not None:
        request.created_before.FromDatetime(created_at.before)
    left = limit
    while left > 0:
        request.page_size = min(left, PAGE_SIZE)
        page = await platform.call(platform.runs.ListRuns, request)
        for run in page.runs[:left]:
            yield run
        left -= len(page.runs)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def list_actions(
    platform: Connection,
    run: RunId,
    *,
    parent: str = "",
    in_phase: Iterable[ActionPhase | str] | None = None,
) -> AsyncIterator[ActionState]:
    """Yield the actions of a run in the order of their acceptance."""
    request = api.ListActionsRequest(run=run, parent=parent, phases=phases_to_proto(in_phase), page_size=PAGE_SIZE)
    while True:
        page = await platform.call(platform.runs.ListActions, request)
        for action in page.actions:
            yield action
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def first_failed_action(platform: Connection, run: RunId) -> ActionState | None:
    """Return the action that failed first; of those that failed together, the one accepted last, the deepest."""
    phases = (ActionPhase.FAILED, ActionPhase.TIMED_OUT)
    failed = [action async for action in list_actions(platform, run, in_phase=phases)]
    return min(reversed(failed), key=lambda action: action.ended_at.ToNanoseconds(), default=None)
