"""The transition function under any order of changes: phases, leases and budgets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyteplane.scheduler.domain.failures import Failure, FailureKind
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.domain.policy import ActionPolicy
from flyteplane.scheduler.domain.state import (
    Aborted,
    ActionState,
    Change,
    DelayPassed,
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
from flyteplane.scheduler.domain.transition import Outcome, transition

KILLED_TRIES, SYSTEM_TRIES = 3, 20

failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    code=st.sampled_from(["ValueError", "WORKER_LOST", "WORKER_KILLED", "PLATFORM_RESTARTED"]),
    message=st.just("why"),
    recoverable=st.sampled_from([True, True, True, False]),
    signal=st.sampled_from([0, 0, 9]),
)
policies = st.builds(
    ActionPolicy,
    retries=st.integers(0, 4),
    backoff_base_s=st.sampled_from([0.0, 0.5, 10.0]),
    max_runtime_s=st.just(5.0),
    max_queued_s=st.just(5.0),
    deadline_s=st.just(50.0),
)
#: What happens, with the lease that it names: the present one, an old one, one that never was, none.
leases = st.sampled_from(["present", "present", "present", "old", "future", "none"])
moves = st.one_of(
    st.tuples(st.just("place"), leases, st.none()),
    st.tuples(st.just("go on"), leases, st.none()),
    st.tuples(st.just("start"), leases, st.none()),
    st.tuples(st.just("succeed"), leases, st.none()),
    st.tuples(st.just("fail"), leases, failures),
    st.tuples(st.sampled_from(["max_runtime", "max_queued_time", "deadline"]), leases, st.none()),
    st.tuples(st.sampled_from(["wait", "get room", "name", "cache", "abort", "refuse"]), leases, failures),
)
histories = st.lists(moves, max_size=60)


class History:
    """Applies moves one after the other, with a clock and leases of its own."""

    def __init__(self, policy: ActionPolicy) -> None:
        self.policy = policy
        self.state = ActionState()
        self.now = 100.0
        self.last_lease = 0

    def change(self, move: str, which: str, failure: Failure | None) -> Change:
        self.now += 1.0
        lease = {"present": self.state.lease, "old": self.last_lease - 1, "future": 10**6, "none": 0}[which]
        why = failure or Failure(kind=FailureKind.USER, code="X", message="x")
        if move == "place":
            return Placed(at=self.now, lease=self.last_lease + 1, waits=which != "present")
        if move in ("max_runtime", "max_queued_time", "deadline"):
            return TimedOut(at=self.now, which=move, limit_s=5.0, lease=lease)
        changes: dict[str, Change] = {
            "go on": DelayPassed(at=self.now),
            "start": Started(at=self.now, lease=lease),
            "succeed": Succeeded(at=self.now, lease=lease, outputs=b"out"),
            "fail": Failed(at=self.now, lease=lease, failure=why),
            "wait": Progress(lease=lease, has_place=False, reason="full"),
            "get room": Progress(lease=lease, has_place=True, reason=""),
            "name": WorkerKnown(lease=lease, worker="w"),
            "cache": FoundInCache(at=self.now, outputs=b"cached", source="p/d/r/a0"),
            "abort": Aborted(at=self.now, reason="enough"),
            "refuse": Refused(at=self.now, failure=why),
        }
        return changes[move]

    def apply(self, change: Change) -> Outcome | None:
        outcome = transition(self.state, change, self.policy)
        if outcome is not None:
            self.state = outcome[0]
            if isinstance(change, Placed):
                self.last_lease = change.lease
        return outcome


def named_lease(change: Change) -> int | None:
    """The lease that a report speaks for; None if the change is no report."""
    reports = Started | Succeeded | Failed | WorkerKnown | Progress
    return change.lease if isinstance(change, reports) else None


@given(policies, histories, failures)
def test_nothing_changes_an_action_that_has_ended(policy: ActionPolicy, moves: list[tuple], why: Failure) -> None:  # type: ignore[type-arg]
    history = History(policy)
    for move in moves:
        before = history.state
        outcome = history.apply(history.change(*move))
        if before.phase.terminal:
            assert outcome is None
    assert history.state.phase.terminal == bool(history.state.ended_at)


@given(policies, histories)
def test_a_report_under_another_lease_has_no_effect(policy: ActionPolicy, moves: list[tuple]) -> None:  # type: ignore[type-arg]
    history = History(policy)
    for move in moves:
        change = history.change(*move)
        lease, present = named_lease(change), history.state.lease
        outcome = history.apply(change)
        if lease is not None and lease != present:
            assert outcome is None
        if not isinstance(change, WorkerKnown) and lease == 0:
            assert outcome is None


@given(policies, histories)
def test_phases_only_move_forward_within_an_attempt(policy: ActionPolicy, moves: list[tuple]) -> None:  # type: ignore[type-arg]
    history = History(policy)
    for move in moves:
        before = history.state
        outcome = history.apply(history.change(*move))
        if outcome is None:
            continue
        after, effects = outcome
        again = any(isinstance(effect, Requeue) for effect in effects)
        assert after.phase >= before.phase or again
        assert after.attempt == before.attempt + isinstance(_last(history, before, after), int)
        assert bool(after.lease) == after.phase.placed
        assert len(after.history) <= after.attempt


def _last(history: History, before: ActionState, after: ActionState) -> int | None:
    """The number of the attempt that was made by the step, if one was."""
    return after.attempt if after.phase.placed and not before.phase.placed else None


@given(policies, histories)
def test_effects_say_what_follows_and_nothing_else(policy: ActionPolicy, moves: list[tuple]) -> None:  # type: ignore[type-arg]
    history = History(policy)
    for move in moves:
        before, change = history.state, history.change(*move)
        outcome = history.apply(change)
        if outcome is None:
            continue
        after, effects = outcome
        kinds = [type(effect) for effect in effects]
        assert kinds.count(Finish) == after.phase.terminal
        stops = [effect.lease for effect in effects if isinstance(effect, StopAttempt)]
        own_end = isinstance(change, Succeeded) or (isinstance(change, Failed) and Requeue in kinds)
        assert stops == ([before.lease] if before.lease and not after.lease and not own_end else [])
        for effect in effects:
            if isinstance(effect, Requeue):
                assert after.phase is Phase.QUEUED
                assert effect.not_before == after.not_before
                assert not effect.not_before or effect.not_before > history.now


@given(policies, histories)
def test_an_action_is_not_placed_while_its_delay_lasts(policy: ActionPolicy, moves: list[tuple]) -> None:  # type: ignore[type-arg]
    history = History(policy)
    for move in moves:
        change, waits = history.change(*move), history.state.not_before
        outcome = history.apply(change)
        if isinstance(change, Placed) and waits:
            assert outcome is None
        if isinstance(change, DelayPassed) and outcome is not None:
            assert waits
            assert not history.state.not_before
            assert history.state.queued_at >= waits


@given(st.integers(0, 6), st.lists(st.booleans(), max_size=40))
def test_retries_are_exact_whatever_the_infrastructure_does_in_between(retries: int, by_task: list[bool]) -> None:
    """Until the budget of the infrastructure is spent too, only failures of the task count."""
    history = History(ActionPolicy(retries=retries, backoff_base_s=0.0))
    user = Failure(kind=FailureKind.USER, code="ValueError", message="x")
    system = Failure(kind=FailureKind.SYSTEM, code="WORKER_LOST", message="x")
    charged = lost = 0
    for failure in (user if own else system for own in by_task):
        history.apply(DelayPassed(at=history.now))
        history.apply(Placed(at=history.now, lease=history.last_lease + 1))
        history.apply(Failed(at=history.now, lease=history.state.lease, failure=failure))
        charged, lost = charged + (failure is user), lost + (failure is system)
        over = charged > retries or lost > SYSTEM_TRIES
        assert history.state.phase is (Phase.FAILED if over else Phase.QUEUED)
        assert history.state.attempt == charged + lost
        if over:
            return


@given(st.integers(0, 9))
def test_a_task_that_kills_its_workers_is_placed_three_times_more(retries: int) -> None:
    history = History(ActionPolicy(retries=retries))
    killed = Failure(kind=FailureKind.SYSTEM, code="WORKER_KILLED", message="x", signal=9)
    while not history.state.phase.terminal:
        history.apply(DelayPassed(at=history.now))
        history.apply(Placed(at=history.now, lease=history.last_lease + 1))
        history.apply(Failed(at=history.now, lease=history.state.lease, failure=killed))
    assert history.state.attempt == 1 + KILLED_TRIES
    assert history.state.task_failures == 0


@given(st.integers(0, 9))
def test_an_image_that_cannot_be_had_is_tried_three_times_more_whatever_was_lost_before(evictions: int) -> None:
    history = History(ActionPolicy())
    evicted = Failure(kind=FailureKind.SYSTEM, code="WORKER_EVICTED", message="Evicted.")
    no_image = Failure(kind=FailureKind.SYSTEM, code="IMAGE_PULL_FAILED", message="No image.")
    for failure in [evicted] * evictions + [no_image] * 4:
        assert history.state.phase is Phase.QUEUED
        history.apply(DelayPassed(at=history.now))
        history.apply(Placed(at=history.now, lease=history.last_lease + 1))
        history.apply(Failed(at=history.now, lease=history.state.lease, failure=failure))
    assert history.state.phase is Phase.FAILED
    assert history.state.failure is not None
    assert history.state.failure.message.startswith("No image. This happened 4 times")


@given(st.lists(st.sampled_from(["max_runtime", "max_queued_time", "fail"]), max_size=10), st.integers(0, 3))
def test_timeouts_and_failures_share_the_retries(how: list[str], retries: int) -> None:
    history = History(ActionPolicy(retries=retries, backoff_base_s=0.0))
    for count, end in enumerate(how, start=1):
        if end != "max_queued_time":
            history.apply(Placed(at=history.now, lease=history.last_lease + 1))
            history.apply(Started(at=history.now, lease=history.state.lease))
        change = history.change(end, "present", None)
        assert history.apply(change) is not None
        last = Phase.FAILED if end == "fail" else Phase.TIMED_OUT
        assert history.state.phase is (last if count > retries else Phase.QUEUED)
        assert history.state.task_failures == count
        if count > retries:
            return


def test_a_cached_result_after_a_failed_attempt_leaves_no_failure_behind() -> None:
    history = History(ActionPolicy(retries=1))
    history.apply(Placed(at=1.0, lease=1))
    history.apply(Failed(at=2.0, lease=1, failure=Failure(kind=FailureKind.USER, code="X", message="x")))
    history.apply(FoundInCache(at=3.0, outputs=b"cached", source="p/d/r/a0"))
    assert history.state.phase is Phase.SUCCEEDED
    assert history.state.failure is None
    assert not history.state.not_before
