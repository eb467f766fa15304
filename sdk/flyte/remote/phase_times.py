"""How long an action spent in which phase, from the times that the platform keeps of its attempts.

An attempt waits (QUEUED) until it is placed, starts (INITIALIZING) until the user's code runs, and runs (RUNNING)
until it ends. What an action waits between two attempts is the waiting of the second. An attempt that never got so far
ends in the phase that it had reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flyte.remote.phases import phase_from_proto
from flyte.spec.phases import ActionPhase

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState, AttemptState


@dataclass(frozen=True, slots=True)
class PhaseTransitionInfo:
    """One phase of an attempt."""

    phase: ActionPhase
    start_time: datetime
    """In UTC."""
    end_time: datetime | None
    """None: it is the present one, or the last."""
    attempt: int
    """From 1; the number of the next one while the action waits for it."""

    @property
    def duration(self) -> timedelta:
        """How long it took; up to now if it goes on. A terminal phase takes no time."""
        if self.phase.is_terminal:
            return timedelta(0)
        return (self.end_time or datetime.now(UTC)) - self.start_time


def phase_transitions(
    state: ActionState, attempts: Sequence[AttemptState], *, attempt: int | None = None
) -> list[PhaseTransitionInfo]:
    """Return the phases of an action in order, or those of one attempt, counted from 1."""
    found = list(_transitions(state, attempts))
    return [one for one in found if attempt is None or one.attempt == attempt]


def phase_durations(transitions: Sequence[PhaseTransitionInfo]) -> dict[ActionPhase, timedelta]:
    """Return how long each phase took, over all the transitions; phases that were not entered are not there."""
    total: dict[ActionPhase, timedelta] = {}
    for one in transitions:
        total[one.phase] = total.get(one.phase, timedelta(0)) + one.duration
    return total


def _transitions(state: ActionState, attempts: Sequence[AttemptState]) -> Iterator[PhaseTransitionInfo]:
    since, ended = moment_of(state, "created_at"), moment_of(state, "ended_at")
    number = 0
    for one in attempts:
        number = one.attempt
        if since is not None:
            yield from _of_attempt(one, since=since, ended=ended)
        since = moment_of(one, "ended_at") or ended
    last = phase_from_proto(state.phase)
    if last.is_terminal:
        if ended is not None:
            if not attempts and since is not None:
                yield PhaseTransitionInfo(ActionPhase.QUEUED, since, ended, 1)
            yield PhaseTransitionInfo(last, ended, None, max(number, 1))
    elif since is not None and (not attempts or attempts[-1].HasField("ended_at")):
        yield PhaseTransitionInfo(last, since, None, number + 1)


def _of_attempt(one: AttemptState, *, since: datetime, ended: datetime | None) -> Iterator[PhaseTransitionInfo]:
    marks = [(ActionPhase.QUEUED, since)]
    for phase, field in ((ActionPhase.INITIALIZING, "placed_at"), (ActionPhase.RUNNING, "started_at")):
        if (at := moment_of(one, field)) is not None:
            marks.append((phase, at))
    ends = [at for _, at in marks[1:]] + [moment_of(one, "ended_at") or ended]
    for (phase, at), end in zip(marks, ends, strict=True):
        yield PhaseTransitionInfo(phase, at, end, one.attempt)


def moment_of(message: Message, field: str) -> datetime | None:
    """Return a time of a message, in UTC; None if it is not set."""
    if not message.HasField(field):
        return None
    moment: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return moment
