"""Runs as messages."""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from google.protobuf.timestamp_pb2 import Timestamp

from flyte.spec.child_names import ROOT_ACTION
from flyteapi.admin.v1.run_service_pb2 import ListRunsRequest, Run, WatchRunResponse, WatchRunsRequest
from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.event_pb2 import ActionHeader, Event
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.notification_messages import without_secrets
from flyteplane.admin.application.setting_rules import microseconds_of
from flyteplane.admin.domain.run import RunFilter, RunKey, RunPhase, RunRecord
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from flyteapi.common.v1.phase_pb2 import Phase

#: Each is a look into an index of its own, for every run that has the first.
MOST_LABELS: Final = 50
_Bound: TypeAlias = Literal["created_after", "created_before", "updated_after", "updated_before"]


def run_key(run: RunId) -> RunKey:
    """The name of a run from its message."""
    return RunKey(run.project, run.domain, run.name)


def run_id(run: RunKey) -> RunId:
    """The message that names a run."""
    return RunId(project=run.project, domain=run.domain, name=run.name)


def phase_message(phase: RunPhase) -> "Phase.ValueType":
    """A phase as its message has it: the numbers are the same."""
    return cast("Phase.ValueType", phase.value)


def timestamp(time_us: int | None) -> Timestamp | None:
    """Microseconds since the epoch as a message; None stays None, which leaves a field unset."""
    if time_us is None:
        return None
    seconds, microseconds = divmod(time_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=microseconds * 1000)


def run_message(record: RunRecord) -> Run:
    """A run as callers see it."""
    progress = record.progress
    return Run(
        id=run_id(record.key),
        task_name=record.task_name,
        task_digest=record.task_digest,
        phase=phase_message(progress.phase),
        created_at=timestamp(record.created_at_us),
        started_at=timestamp(progress.started_at_us),
        ended_at=timestamp(progress.ended_at_us),
        error=_error(record),
        created_by=record.created_by,
        settings=without_secrets(RunSettings.FromString(record.settings)),
        source=run_id(record.source) if record.source else None,
        trigger=record.trigger,
        task_version=record.task_version,
    )


def run_filter(request: ListRunsRequest) -> RunFilter:
    """The conditions of a list. Raises InvalidArgument for more labels than a query is made of."""
    if len(request.labels) + len(request.label_keys) > MOST_LABELS:
        raise InvalidArgument(
            f"{len(request.labels) + len(request.label_keys)} labels are asked for",
            reason="RUN_LABELS",
            field="labels",
            limit=f"{MOST_LABELS} labels",
            mend="Ask for fewer of them.",
        )
    return RunFilter(
        project=request.project,
        domain=request.domain,
        task_name=request.task_name,
        phases=frozenset(RunPhase.of(phase) for phase in set(request.phases)),
        created_by=request.created_by,
        queue=request.queue,
        source=run_key(request.source) if request.HasField("source") else None,
        labels=dict(request.labels),
        task_version=request.task_version,
        label_keys=frozenset(request.label_keys),
        created_after_us=_bound(request, "created_after"),
        created_before_us=_bound(request, "created_before"),
        updated_after_us=_bound(request, "updated_after"),
        updated_before_us=_bound(request, "updated_before"),
        paused_only=request.paused_only,
    )


def _bound(request: ListRunsRequest, field: _Bound) -> int | None:
    return microseconds_of(getattr(request, field), field=field) if request.HasField(field) else None


def is_in_place(run: RunId, watched: WatchRunsRequest) -> bool:
    """Whether a run is in the project and domain that are watched."""
    return watched.project in ("", run.project) and watched.domain in ("", run.domain)


def log_of_undelivered(record: RunRecord) -> WatchRunResponse:
    """The whole event log of a run that ended before the scheduler took it."""
    header = ActionHeader(task_name=record.task_name, task_digest=record.task_digest)
    event = Event(
        sequence=1,
        time=timestamp(record.progress.ended_at_us),
        action=ROOT_ACTION,
        phase=phase_message(record.progress.phase),
        header=header,
        error=_error(record),
    )
    return WatchRunResponse(events=[event], next_sequence=2, ended=True)


def _error(record: RunRecord) -> TaskError | None:
    return TaskError.FromString(record.progress.error) if record.progress.error else None
