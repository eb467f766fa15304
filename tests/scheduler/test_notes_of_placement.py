"""What is out of the ordinary about an attempt's slot is told on its action, for that attempt and no other."""

from __future__ import annotations

from flyteplane.scheduler.application.explaining import explain_ended
from flyteplane.scheduler.domain.failures import Failure, FailureKind
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.domain.policy import ActionPolicy
from flyteplane.scheduler.domain.state import (
    ActionState,
    Change,
    Failed,
    Placed,
    Progress,
    Started,
    Succeeded,
    WorkerKnown,
)
from flyteplane.scheduler.domain.transition import transition

NOTE = "on an overflow replica"
POLICY = ActionPolicy()


def after(state: ActionState, *changes: Change) -> ActionState:
    """The state after changes that all have an effect."""
    for change in changes:
        outcome = transition(state, change, POLICY)
        assert outcome is not None, change
        state = outcome[0]
    return state


PLACED = after(ActionState(), Placed(at=1.0, lease=7))
NOTED = WorkerKnown(lease=7, worker="replica-1", note=NOTE)


def test_the_note_is_the_reason_while_the_attempt_runs_and_after_it_succeeded() -> None:
    running = after(PLACED, NOTED, Started(at=2.0, lease=7))
    assert (running.worker, running.reason) == ("replica-1", NOTE)
    ended = after(running, Succeeded(at=3.0, lease=7, outputs=b""))
    assert ended.reason == NOTE
    assert explain_ended(ended).summary == f"It has ended: SUCCEEDED. It was placed {NOTE}."


def test_an_attempt_that_ends_before_it_was_heard_to_have_started_keeps_its_note() -> None:
    assert after(PLACED, NOTED, Succeeded(at=3.0, lease=7, outputs=b"")).reason == NOTE


def test_what_a_cluster_said_before_the_start_is_no_note() -> None:
    waiting = after(PLACED, Progress(lease=7, has_place=True, reason="pulls its image"))
    running = after(waiting, WorkerKnown(lease=7, worker="pod"), Started(at=2.0, lease=7))
    assert running.reason == ""
    assert after(running, Succeeded(at=3.0, lease=7, outputs=b"")).reason == ""


def test_the_next_attempt_begins_without_the_note_of_the_one_before() -> None:
    lost = Failure(kind=FailureKind.SYSTEM, code="REPLICA_LOST", message="It is gone.")
    again = after(PLACED, NOTED, Started(at=2.0, lease=7), Failed(at=3.0, lease=7, failure=lost))
    assert again.phase is Phase.QUEUED
    assert NOTE not in again.reason
    placed = after(again._replace(not_before=0.0), Placed(at=4.0, lease=8), Started(at=5.0, lease=8))
    assert placed.reason == ""


def test_the_note_of_another_lease_is_refused() -> None:
    assert transition(PLACED, WorkerKnown(lease=6, worker="w", note=NOTE), POLICY) is None
