"""Spans of runs and actions, made of how they ended.

    run
      action a0                accepted to ended
        queued                 each wait for a slot, retries' delays included
        attempt 1              placed to ended
          starting             placed to the task's first line
          running              the task's own code: what it traces itself joins here
            <traced function>
      action <child>           below the action that called it

The identity of each follows from the run's trace, so that a span made after a restart fits those made before it, and
the same span made twice is the same span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyte.spec.trace_context import TraceContext, attempt_context, run_context
from flyteplane.observe.spans import Attribute, Span
from flyteplane.scheduler.domain.phases import CacheStatus, Phase
from flyteplane.scheduler.domain.state import AttemptRecord

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.failures import Failure
    from flyteplane.scheduler.domain.state import ActionState


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedAction:
    """An action that has ended, as far as spans tell of it."""

    trace: TraceContext
    """Of the run."""
    run: str
    name: str
    parent: str
    """Name of the action that called it; empty for the root."""
    task: str
    queue: str
    state: ActionState


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRun:
    """A run that has ended."""

    trace: TraceContext
    run: str
    project: str
    domain: str
    task: str
    state: ActionState
    """Of its root action."""


def spans_of_run(run: TracedRun) -> Iterator[Span]:
    """The span of the run: below whoever submitted it, or the first of its trace."""
    context = run_context(run.trace, run.run)
    yield Span(
        name=f"run {run.task}",
        context=context,
        parent="" if run.trace.span_id == context.span_id else run.trace.span_id,
        began=run.state.created_at,
        ended=run.state.ended_at,
        error=_error(run.state.phase, run.state.failure),
        attributes={
            "flyte.run": run.run,
            "flyte.project": run.project,
            "flyte.domain": run.domain,
            "flyte.task": run.task,
            "flyte.phase": run.state.phase.name,
        },
    )


def spans_of_action(action: TracedAction) -> Iterator[Span]:
    """The span of the action with all that are below it, but those of its children."""
    state, own = action.state, _action_context(action, action.name)
    facts: dict[str, Attribute] = {
        "flyte.run": action.run,
        "flyte.action": action.name,
        "flyte.task": action.task,
        "flyte.queue": action.queue,
        "flyte.phase": state.phase.name,
        "flyte.attempts": state.attempt,
    }
    if state.cache_status:
        facts["flyte.cache"] = CacheStatus(state.cache_status).name.lower()
    above = _action_context(action, action.parent) if action.parent else run_context(action.trace, action.run)
    yield Span(
        name=f"action {action.task}",
        context=own,
        parent=above.span_id,
        began=state.created_at,
        ended=state.ended_at,
        error=_error(state.phase, state.failure),
        attributes=facts,
    )
    waits_since = state.created_at
    for attempt in _attempts(state):
        yield _wait(action, own, attempt, since=waits_since)
        yield from _spans_of_attempt(action, own, attempt)
        waits_since = attempt.ended_at


def _attempts(state: ActionState) -> Iterator[AttemptRecord]:
    """All attempts. The state itself tells of the last, unless the action ended while it waited for another."""
    yield from state.history
    if state.attempt > len(state.history):
        yield AttemptRecord(
            attempt=state.attempt,
            phase=state.phase,
            placed_at=state.placed_at,
            started_at=state.started_at,
            ended_at=state.ended_at,
            worker=state.worker,
            failure=state.failure,
            cluster=state.cluster,
            resource_class=state.resource_class,
        )


def _wait(action: TracedAction, own: TraceContext, attempt: AttemptRecord, *, since: float) -> Span:
    context = action.trace.below("queued", action.run, action.name, attempt.attempt)
    return Span(name="queued", context=context, parent=own.span_id, began=since, ended=attempt.placed_at)


def _spans_of_attempt(action: TracedAction, own: TraceContext, attempt: AttemptRecord) -> Iterator[Span]:
    path = (action.run, action.name, attempt.attempt)
    context = action.trace.below("attempt", *path)
    began = attempt.started_at or attempt.ended_at
    yield Span(
        name=f"attempt {attempt.attempt}",
        context=context,
        parent=own.span_id,
        began=attempt.placed_at,
        ended=attempt.ended_at,
        error=_error(attempt.phase, attempt.failure),
        attributes={
            "flyte.attempt": attempt.attempt,
            "flyte.worker": attempt.worker,
            "flyte.cluster": attempt.cluster,
            "flyte.resource_class": attempt.resource_class,
        },
    )
    yield Span(
        name="starting",
        context=action.trace.below("starting", *path),
        parent=context.span_id,
        began=attempt.placed_at,
        ended=began,
    )
    if attempt.started_at:
        yield Span(
            name="running",
            context=attempt_context(action.trace, *path),
            parent=context.span_id,
            began=began,
            ended=attempt.ended_at,
            error=_error(attempt.phase, attempt.failure),
        )


def _action_context(action: TracedAction, name: str) -> TraceContext:
    return action.trace.below("action", action.run, name)


def _error(phase: Phase, failure: Failure | None) -> str:
    if phase is Phase.SUCCEEDED:
        return ""
    # Never the message: it is the user's text, and may hold anything.
    return failure.code if failure is not None else phase.name
