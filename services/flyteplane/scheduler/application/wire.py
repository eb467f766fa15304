"""Between stored or received messages and the scheduler's own values."""

from collections.abc import Sequence
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.common.v1.error_pb2 import ErrorKind, TaskError
from flyteapi.common.v1.phase_pb2 import CacheStatus as CacheStatusMessage
from flyteapi.common.v1.phase_pb2 import Phase as PhaseMessage
from flyteapi.scheduler.v1.event_pb2 import ActionHeader, EventBatch
from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass as ResourceClassMessage
from flyteapi.scheduler.v1.scheduler_service_pb2 import AttemptState, GetActionResponse
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.scheduler.application.living import Action
from flyteplane.scheduler.application.ports import ActionRow
from flyteplane.scheduler.domain.failures import Failure, FailureKind, bounded
from flyteplane.scheduler.domain.phases import CacheStatus, Phase
from flyteplane.scheduler.domain.policy import DEFAULT_BASE_S, DEFAULT_CAP_S, ActionPolicy
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.state import ActionState, AttemptRecord


def phase_of(phase: Phase) -> "PhaseMessage.ValueType":
    """A phase as the messages have it: the numbers are the same."""
    return cast("PhaseMessage.ValueType", phase)


def cache_status_of(status: CacheStatus) -> "CacheStatusMessage.ValueType":
    """A cache status as the messages have it: the numbers are the same."""
    return cast("CacheStatusMessage.ValueType", status)


def failure_from(error: TaskError) -> Failure:
    """A failure from its message; an unknown kind counts as SYSTEM."""
    kind = FailureKind(error.kind) if 1 <= error.kind <= 4 else FailureKind.SYSTEM
    return Failure(
        kind=kind,
        code=error.code or "UNKNOWN",
        message=bounded(error.message),
        traceback=bounded(error.traceback),
        recoverable=error.recoverable,
        exit_code=error.exit_code,
        signal=error.signal,
        pickled=error.pickled_exception,
    )


def failure_to(failure: Failure) -> TaskError:
    """The message of a failure."""
    return TaskError(
        kind=cast("ErrorKind.ValueType", failure.kind.value),
        code=failure.code,
        message=bounded(failure.message),
        traceback=failure.traceback,
        recoverable=failure.recoverable,
        exit_code=failure.exit_code,
        signal=failure.signal,
        pickled_exception=failure.pickled,
    )


def failure_bytes(failure: Failure | None) -> bytes:
    """The stored form of a failure; empty for none."""
    return b"" if failure is None else failure_to(failure).SerializeToString()


def failure_of(stored: bytes) -> Failure | None:
    """A failure from its stored form."""
    return failure_from(TaskError.FromString(stored)) if stored else None


def timestamp(at: float) -> Timestamp | None:
    """A time in seconds as a message; None for 0, which means that it has not happened."""
    if not at:
        return None
    micros = round(at * 1_000_000)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def policy_of(spec: TaskSpec) -> ActionPolicy:
    """The rules of a task."""
    retries, timeouts = spec.retries, spec.timeouts
    times = {
        "max_runtime_s": seconds(timeouts.max_runtime),
        "max_queued_s": seconds(timeouts.max_queued_time),
        "deadline_s": seconds(timeouts.deadline),
    }
    if not retries.HasField("backoff"):
        return ActionPolicy(retries=retries.count, backoff_base_s=DEFAULT_BASE_S, backoff_cap_s=DEFAULT_CAP_S, **times)
    backoff = retries.backoff
    return ActionPolicy(
        retries=retries.count,
        backoff_base_s=seconds(backoff.base),
        backoff_factor=backoff.factor or 1.0,
        backoff_cap_s=seconds(backoff.cap) if backoff.HasField("cap") else None,
        **times,
    )


def add_event(events: EventBatch, action: Action, *, sequence: int, at: float, first: bool) -> None:
    """Adds the event of the action's present state. It is made where it stays: an action has four of them."""
    state = action.state
    # Field by field: keywords take twice the time.
    event = events.events.add()
    event.action = action.name
    event.attempt = state.attempt
    event.phase = phase_of(state.phase)
    event.sequence = sequence
    seconds, micros = divmod(round(at * 1_000_000), 1_000_000)
    time = event.time
    time.seconds = seconds
    time.nanos = micros * 1000
    if first:
        fill_header(event.header, action)
    if state.failure is not None and (state.phase.terminal or state.phase is Phase.QUEUED):
        event.error.CopyFrom(failure_to(state.failure))
    if state.cache_status:
        event.cache_status = cache_status_of(state.cache_status)
    if state.reason:
        event.reason = state.reason
    if state.worker:
        event.worker = state.worker
    if action.parent is None and state.outputs is not None:
        event.outputs.ParseFromString(state.outputs)


def fill_header(header: ActionHeader, action: Action) -> None:
    """Writes what does not change about an action."""
    spec = action.task.spec
    if action.parent is not None:
        header.parent = action.parent.name
    header.task_name = spec.name
    header.short_name = spec.short_name
    header.task_digest = action.task.digest
    header.group = action.group
    header.queue = action.queue
    header.is_condition = action.task.asks


def row_of(action: Action) -> ActionRow:
    """The stored form of an action."""
    state = action.state
    return ActionRow(
        action.run.row.id,
        action.ordinal,
        action.name,
        action.parent.name if action.parent else "",
        action.task.digest,
        action.group,
        action.inputs,
        action.inputs_digest,
        action.custom_context,
        state.created_at,
        int(state.phase),
        state.attempt,
        state.task_failures,
        state.system_failures,
        state.killed,
        state.queued_at,
        state.placed_at,
        state.started_at,
        state.first_started_at,
        state.ended_at,
        state.not_before,
        b"" if state.failure is None else failure_bytes(state.failure),
        state.outputs,
        int(state.cache_status),
        state.cached_from,
        state.reason,
        state.worker,
        state.lease,
        state.cluster,
        state.resource_class,
        history_bytes(state.history) if state.history else b"",
    )


def state_of(row: ActionRow) -> ActionState:
    """The state of a stored action."""
    return ActionState(
        phase=Phase(row.phase),
        attempt=row.attempt,
        lease=row.lease,
        task_failures=row.task_failures,
        system_failures=row.system_failures,
        killed=row.killed,
        created_at=row.created_at,
        queued_at=row.queued_at,
        placed_at=row.placed_at,
        started_at=row.started_at,
        first_started_at=row.first_started_at,
        ended_at=row.ended_at,
        not_before=row.not_before,
        failure=failure_of(row.error),
        outputs=row.outputs,
        cache_status=CacheStatus(row.cache_status),
        cached_from=row.cached_from,
        reason=row.reason,
        worker=row.worker,
        cluster=row.cluster,
        resource_class=row.resource_class,
        history=history_of(row.history),
    )


def attempt_message(record: AttemptRecord) -> AttemptState:
    """An attempt that is over, as a message."""
    return AttemptState(
        attempt=record.attempt,
        phase=phase_of(record.phase),
        placed_at=timestamp(record.placed_at),
        started_at=timestamp(record.started_at),
        ended_at=timestamp(record.ended_at),
        error=None if record.failure is None else failure_to(record.failure),
        worker=record.worker,
        cluster=record.cluster,
        resource_class=record.resource_class,
    )


def history_bytes(history: Sequence[AttemptRecord]) -> bytes:
    """The stored form of the attempts before the present one."""
    if not history:
        return b""
    return GetActionResponse(attempts=[attempt_message(record) for record in history]).SerializeToString()


def history_of(stored: bytes) -> tuple[AttemptRecord, ...]:
    """Attempts from their stored form."""
    if not stored:
        return ()
    return tuple(_record(message) for message in GetActionResponse.FromString(stored).attempts)


def _record(message: AttemptState) -> AttemptRecord:
    return AttemptRecord(
        attempt=message.attempt,
        phase=Phase(message.phase),
        placed_at=_time(message.placed_at),
        started_at=_time(message.started_at),
        ended_at=_time(message.ended_at),
        worker=message.worker,
        cluster=message.cluster,
        resource_class=message.resource_class,
        failure=failure_from(message.error) if message.HasField("error") else None,
    )


def _time(message: Timestamp) -> float:
    return message.seconds + message.nanos / 1e9


def class_message(shape: ResourceClass) -> ResourceClassMessage:
    """A resource class as the messages have it, without what is in use of it."""
    return ResourceClassMessage(
        name=shape.name,
        max_cpu_millis=shape.max_cpu_millis,
        max_memory_bytes=shape.max_memory_bytes,
        max_accelerators=shape.max_accelerators,
        clusters=shape.clusters,
        quota_cpu_millis=shape.quota_cpu_millis,
        quota_memory_bytes=shape.quota_memory_bytes,
        node_selector=shape.node_selector,
        tolerations_json=shape.tolerations_json,
        priority_class=shape.priority_class,
        allow_host_paths=shape.allow_host_paths,
        allow_privileged=shape.allow_privileged,
        allow_service_account_token=shape.allow_service_account_token,
        service_accounts=shape.service_accounts,
    )


def payload(stored: bytes | None) -> Payload:
    """A payload from its stored form."""
    return Payload.FromString(stored) if stored else Payload()
