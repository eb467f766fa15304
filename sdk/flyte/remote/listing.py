"""Lists that come a page at a time, as one stream of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flyte.client.pages import pages
from flyte.remote.phases import Phases, phase_of, phases_from, phases_to_proto
from flyte.spec.phases import ActionPhase
from flyteapi.admin.v1 import run_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyte.client.channel import Connection


@dataclass(frozen=True, slots=True)
class TimeFilter:
    """A span of time; an open end is None."""

    after: datetime | None = None
    before: datetime | None = None

    def holds(self, stamp: Timestamp) -> bool:
        """Tell whether a time is in it: not before `after`, and before `before`."""
        moment = stamp.ToDatetime(tzinfo=UTC)
        return (self.after is None or moment >= _in_utc(self.after)) and (
            self.before is None or moment < _in_utc(self.before)
        )


def _in_utc(moment: datetime) -> datetime:
    """Return a time that can be compared; one without a zone is in UTC, as the platform takes it."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def list_runs(
    platform: Connection,
    *,
    limit: int,
    project: str,
    domain: str,
    in_phase: Phases = None,
    task_name: str = "",
    created_by: str = "",
    created_at: TimeFilter | None = None,
    updated_at: TimeFilter | None = None,
    labels: Mapping[str, str] | None = None,
    label_keys: Iterable[str] = (),
    task_version: str = "",
    paused_only: bool = False,
) -> AsyncIterator[api.Run]:
    """Yield runs, the newest first, at most `limit`; with `paused_only` those in which a person is asked something.

    The phase `paused` means the same. Raises ValueError for it beside other phases.
    """
    phases = phases_from(in_phase)
    if ActionPhase.PAUSED in phases:
        if len(phases) > 1:
            raise ValueError("A paused run is running: give the phase paused alone.")
        phases, paused_only = [], True
    request = api.ListRunsRequest(
        project=project,
        domain=domain,
        task_name=task_name,
        phases=phases_to_proto(phases),
        created_by=created_by,
        labels=labels or {},
        label_keys=label_keys,
        task_version=task_version,
        paused_only=paused_only,
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
    async for page in pages(platform, platform.runs.ListRuns, request, limit=limit):
        for run in page.runs[:left]:
            yield run
        left -= len(page.runs)
        if left <= 0:
            return


async def list_actions(
    platform: Connection,
    run: RunId,
    *,
    parent: str = "",
    in_phase: Phases = None,
    created_at: TimeFilter | None = None,
    updated_at: TimeFilter | None = None,
) -> AsyncIterator[ActionState]:
    """Yield the actions of a run in the order of their acceptance; `updated_at` is when one changed its phase last."""
    phases = phases_from(in_phase)
    request = api.ListActionsRequest(run=run, parent=parent, phases=phases_to_proto(phases))
    async for page in pages(platform, platform.runs.ListActions, request):
        for action in page.actions:
            if (
                (not phases or phase_of(action) in phases)
                and (created_at is None or created_at.holds(action.created_at))
                and (updated_at is None or updated_at.holds(changed_at(action)))
            ):
                yield action


def changed_at(action: ActionState) -> Timestamp:
    """Return when an action changed its phase last, as far as its summary tells."""
    known = [getattr(action, field) for field in ("ended_at", "started_at") if action.HasField(field)]
    return known[0] if known else action.created_at


async def first_failed_action(platform: Connection, run: RunId) -> ActionState | None:
    """Return the action that failed first; of those that failed together, the one accepted last, the deepest."""
    phases = (ActionPhase.FAILED, ActionPhase.TIMED_OUT)
    failed = [action async for action in list_actions(platform, run, in_phase=phases)]
    return min(reversed(failed), key=lambda action: action.ended_at.ToNanoseconds(), default=None)
