"""The one transition function: (state, change) to (state', effects), pure.

It guarantees that phases move forward only within an attempt, that a terminal state never changes, that a change
under a lease which is not current has no effect (the result is None: refused), and that budgets are exact:
`retries=n` gives n attempts after the first for failures of the task, whatever the infrastructure did in between.
"""

from dataclasses import replace
from typing import Final

from flyteplane.scheduler.domain.failures import IMAGE_PULL_FAILED, Failure, FailureKind, system_budget
from flyteplane.scheduler.domain.phases import CacheStatus, Phase
from flyteplane.scheduler.domain.policy import ActionPolicy, system_delay_s
from flyteplane.scheduler.domain.state import (
    Aborted,
    ActionState,
    AttemptRecord,
    Change,
    DelayPassed,
    Effect,
    Failed,
    Finish,
    FoundInCache,
    Placed,
    Progress,
    Refused,
    Requeue,
    Started,
    StopAttempt,
    Succeeded,
    TimedOut,
    WorkerKnown,
)

Outcome = tuple[ActionState, tuple[Effect, ...]]
_NOTHING: Final[tuple[Effect, ...]] = ()
_FINISH: Final[tuple[Effect, ...]] = (Finish.shared,)


def transition(state: ActionState, change: Change, policy: ActionPolicy) -> Outcome | None:
    """Applies a change. None: the change is stale or comes too late, and has no effect."""
    if state.phase >= Phase.SUCCEEDED:
        return None
    match change:
        case Succeeded():
            return _succeed(state, change)
        case Started():
            return _start(state, change)
        case Placed():
            return _place(state, change)
        case WorkerKnown():
            return _know(state, change)
        case Progress():
            return _progress(state, change)
        case DelayPassed():
            return _go_on(state)
        case Failed():
            return _fail(state, change, policy)
        case TimedOut():
            return _time_out(state, change, policy)
        case FoundInCache():
            return _from_cache(state, change)
        case Aborted():
            return _end(state, Phase.ABORTED, at=change.at, failure=_aborted(change.reason), reason=change.reason)
        case Refused():
            return _end(state, Phase.FAILED, at=change.at, failure=change.failure, reason=change.failure.message)


def _go_on(state: ActionState) -> Outcome | None:
    if not state.not_before:
        return None
    return state._replace(not_before=0.0, queued_at=max(state.queued_at, state.not_before)), _NOTHING


def _place(state: ActionState, change: Placed) -> Outcome | None:
    if state.phase is not Phase.QUEUED or state.not_before:
        return None
    return (
        state._replace(
            phase=Phase.WAITING_FOR_RESOURCES if change.waits else Phase.INITIALIZING,
            attempt=state.attempt + 1,
            lease=change.lease,
            placed_at=change.at,
            started_at=0.0,
            reason="",
            worker="",
            note="",
            cluster=change.cluster,
            resource_class=change.resource_class,
        ),
        _NOTHING,
    )


def _know(state: ActionState, change: WorkerKnown) -> Outcome | None:
    if change.lease != state.lease:
        return None
    return state._replace(worker=change.worker, note=change.note), _NOTHING


def _progress(state: ActionState, change: Progress) -> Outcome | None:
    if not change.lease or change.lease != state.lease or state.phase is Phase.RUNNING:
        return None
    phase = Phase.INITIALIZING if change.has_place else state.phase
    if phase is state.phase and change.reason == state.reason:
        return None
    return state._replace(phase=phase, reason=change.reason), _NOTHING


def _start(state: ActionState, change: Started) -> Outcome | None:
    if change.lease != state.lease or state.phase not in _STARTABLE:
        return None
    first = state.first_started_at or change.at
    started = state._replace(phase=Phase.RUNNING, started_at=change.at, first_started_at=first, reason=state.note)
    return started, _NOTHING


#: A worker may say that it has started before its cluster was heard to have placed it.
_STARTABLE: Final = (Phase.INITIALIZING, Phase.WAITING_FOR_RESOURCES)


def _succeed(state: ActionState, change: Succeeded) -> Outcome | None:
    if not change.lease or change.lease != state.lease:
        return None
    started = state.started_at or change.at
    return (
        state._replace(
            phase=Phase.SUCCEEDED,
            outputs=change.outputs,
            started_at=started,
            first_started_at=state.first_started_at or started,
            ended_at=change.at,
            lease=0,
            failure=None,
            # While an attempt runs, the reason says what is out of the ordinary about its worker, and goes on to do so.
            reason=state.reason if state.phase is Phase.RUNNING else state.note,
        ),
        _FINISH,
    )


def _from_cache(state: ActionState, change: FoundInCache) -> Outcome | None:
    if state.lease:
        return None
    return (
        state._replace(
            phase=Phase.SUCCEEDED,
            outputs=change.outputs,
            ended_at=change.at,
            cache_status=CacheStatus.HIT,
            cached_from=change.source,
            not_before=0.0,
            failure=None,
            reason="",
        ),
        _FINISH,
    )


def _fail(state: ActionState, change: Failed, policy: ActionPolicy) -> Outcome | None:
    if not change.lease or change.lease != state.lease:
        return None
    failure = change.failure
    if failure.kind is FailureKind.SYSTEM and failure.recoverable:
        return _system_failure(state, failure, at=change.at)
    return _task_failure(state, failure, policy, at=change.at, ended=Phase.FAILED)


def _task_failure(state: ActionState, failure: Failure, policy: ActionPolicy, *, at: float, ended: Phase) -> Outcome:
    failures = state.task_failures + 1
    if not failure.recoverable or failures > policy.retries:
        return _end(state._replace(task_failures=failures), ended, at=at, failure=failure, reason="")
    delay = policy.retry_delay_s(failures)
    reason = f"{failure.code}; retry {failures} of {policy.retries} in {delay:g} s"
    return _wait_again(state._replace(task_failures=failures), ended, failure, at=at, delay_s=delay, reason=reason)


def _system_failure(state: ActionState, failure: Failure, *, at: float) -> Outcome:
    budget = system_budget(failure)
    if budget is None:
        return _wait_again(state, Phase.FAILED, failure, at=at, delay_s=0.0, reason=failure.message)
    used = _charged_before(state, failure) + 1
    failures = state.system_failures + 1
    counted = state._replace(system_failures=failures, killed=state.killed + (1 if failure.signal else 0))
    if used > budget:
        message = f"{failure.message} This happened {used} times; the platform gives up on this action."
        return _end(counted, Phase.FAILED, at=at, failure=replace(failure, message=message), reason="")
    delay = system_delay_s(failures)
    return _wait_again(counted, Phase.FAILED, failure, at=at, delay_s=delay, reason=f"{failure.message} Placed again.")


def _charged_before(state: ActionState, failure: Failure) -> int:
    """How many failures before this one were charged to the budget of this one, see `system_budget`."""
    if failure.signal:
        return state.killed
    if failure.code == IMAGE_PULL_FAILED:
        return sum(record.failure is not None and record.failure.code == IMAGE_PULL_FAILED for record in state.history)
    return state.system_failures


def _time_out(state: ActionState, change: TimedOut, policy: ActionPolicy) -> Outcome | None:
    if change.which == "max_runtime" and (change.lease != state.lease or state.phase is not Phase.RUNNING):
        return None
    if change.which == "max_queued_time" and state.phase >= Phase.RUNNING:
        return None
    final = change.which == "deadline"
    failure = Failure(
        kind=FailureKind.TIMEOUT,
        code=_TIMEOUT_CODES[change.which],
        message=f"{change.which} of {change.limit_s:g} s has passed.",
        recoverable=not final,
    )
    lease = state.lease
    state, effects = _task_failure(state, failure, policy, at=change.at, ended=Phase.TIMED_OUT)
    if lease and not any(isinstance(effect, StopAttempt) for effect in effects):
        effects = (StopAttempt(lease, failure.message), *effects)
    return state, effects


_TIMEOUT_CODES: Final = {
    "max_runtime": "MaxRuntimeExceededError",
    "max_queued_time": "MaxQueuedTimeExceededError",
    "deadline": "DeadlineExceededError",
}


def _wait_again(
    state: ActionState, phase: Phase, failure: Failure, *, at: float, delay_s: float, reason: str
) -> Outcome:
    not_before = at + delay_s if delay_s else 0.0
    again = state._replace(
        phase=Phase.QUEUED,
        lease=0,
        queued_at=at,
        not_before=not_before,
        failure=failure,
        reason=reason,
        history=(*state.history, _record(state, phase, failure, at=at)) if state.lease else state.history,
    )
    return again, (Requeue(not_before),)


def _end(state: ActionState, phase: Phase, *, at: float, failure: Failure, reason: str) -> Outcome:
    ended = state._replace(phase=phase, lease=0, ended_at=at, failure=failure, reason=reason, not_before=0.0)
    if state.lease:
        return ended, (StopAttempt(state.lease, failure.message), Finish.shared)
    return ended, _FINISH


def _record(state: ActionState, phase: Phase, failure: Failure, *, at: float) -> AttemptRecord:
    return AttemptRecord(
        attempt=state.attempt,
        phase=phase,
        placed_at=state.placed_at,
        started_at=state.started_at,
        ended_at=at,
        worker=state.worker,
        failure=failure,
        cluster=state.cluster,
        resource_class=state.resource_class,
    )


def _aborted(reason: str) -> Failure:
    return Failure(kind=FailureKind.USER, code="ABORTED", message=reason, recoverable=False)
