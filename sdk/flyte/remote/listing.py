"""Lists that come a page at a time, as one stream of messages."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flyte.remote.phases import is_terminal, phases_to_proto
from flyte.spec.phases import ActionPhase
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState

if TYPE_CHECKING:
    from flyte.client.channel import Connection

_OPEN: Final = (
    ActionPhase.QUEUED,
    ActionPhase.WAITING_FOR_RESOURCES,
    ActionPhase.INITIALIZING,
    ActionPhase.RUNNING,
)
"""Phases in which more will happen."""


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
    updated_at: TimeFilter | None = None,
    labels: Mapping[str, str] | None = None,
    label_keys: Iterable[str] = (),
    task_version: str = "",
) -> AsyncIterator[api.Run]:
    """Yield runs, the newest first, at most `limit`."""
    request = api.ListRunsRequest(
        project=project,
        domain=domain,
        task_name=task_name,
        phases=phases_to_proto(in_phase),
        created_by=created_by,
        labels=labels or {},
        label_keys=label_keys,
        task_version=task_version,
    )
    for span, after, before in (
        (created_at, request.created_after, request.created_before),
        (updated_at, request.updated_after, request.updated_before),
    ):
        if span is not None and span.after is not None:
            after.FromDatetime(span.after)
        if span is not None and span.before is not None:
            before.FromDatetime(span.before)
    left = limit
    while left > 0:
        request.page_size = platform.page_size(left)
        page = await platform.call(platform.runs.ListRuns, request)
        for run in page.runs[:left]:
            yield run
        left -= len(page.runs)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def list_paused_runs(platform: Connection, *, limit: int, **conditions: Any) -> AsyncIterator[api.Run]:
    """Yield those of `list_runs` in which an action waits for an answer, at most `limit`."""
    left = limit
    conditions["in_phase"] = conditions.get("in_phase") or _OPEN
    async for run in list_runs(platform, limit=sys.maxsize, **conditions):
        if left <= 0:
            return
        if not is_terminal(run.phase) and await _waits_for_an_answer(platform, run.id):
            left -= 1
            yield run


async def _waits_for_an_answer(platform: Connection, run: RunId) -> bool:
    async for state in list_actions(platform, run, in_phase=_OPEN):
        if state.header.is_condition:
            return True
    return False


async def list_actions(
    platform: Connection,
    run: RunId,
    *,
    parent: str = "",
    in_phase: Iterable[ActionPhase | str] | None = None,
) -> AsyncIterator[ActionState]:
    """Yield the actions of a run in the order of their acceptance."""
    page_size = platform.page_size(sys.maxsize)
    request = api.ListActionsRequest(run=run, parent=parent, phases=phases_to_proto(in_phase), page_size=page_size)
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
