"""Timers: late rather than early, once, cheap to call off, and not fooled by the wall clock."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from tests.scheduler.harness import Bench, task

from flyteplane.foundation.clock import ManualClock
from flyteplane.scheduler.application.living import Action
from flyteplane.scheduler.application.timers import FEW, PendingTimer, Timers
from flyteplane.scheduler.domain.failures import worker_failure
from flyteplane.scheduler.domain.phases import Phase


class Armed:
    """As much of an action as timers need."""

    def __init__(self) -> None:
        self.timers: list[PendingTimer] = []


def _action() -> Action:
    return cast("Action", Armed())


@given(
    st.lists(st.tuples(st.sampled_from(["arm", "forget", "pass"]), st.integers(0, 4), st.floats(0, 9)), max_size=40),
    st.booleans(),
)
def test_each_timer_fires_once_in_order_and_never_early(steps: list[tuple[str, int, float]], steady: bool) -> None:
    clock = ManualClock()
    fired: list[tuple[float, str]] = []
    timers = Timers(clock=clock, fire=lambda action, kind, lease: fired.append((clock.monotonic(), kind)))
    actions = [_action() for _ in range(5)]
    due: dict[str, tuple[int, float]] = {}
    for number, (what, which, seconds) in enumerate(steps):
        if what == "arm":
            timers.arm(actions[which], f"t{number}", at=clock.now() + seconds)
            due[f"t{number}"] = (which, clock.monotonic() + seconds)
        elif what == "forget":
            timers.forget(actions[which])
            done = {kind for _, kind in fired}
            due = {kind: at for kind, at in due.items() if kind in done or at[0] != which}
        else:
            if not steady:
                clock.jump(-seconds)
            clock.advance(seconds)
    clock.advance(20.0)
    assert sorted(kind for _, kind in fired) == sorted(due)
    assert all(at >= due[kind][1] - 1e-6 for at, kind in fired)
    assert [at for at, _ in fired] == sorted(at for at, _ in fired)
    assert len(timers) == 0
    assert clock.next_timer_at() is None


def test_a_timer_may_arm_the_next_one() -> None:
    clock = ManualClock()
    count = [0]

    def fire(action: Action, kind: str, lease: int) -> None:
        count[0] += 1
        if count[0] < 5:
            timers.arm(action, kind, at=clock.now())

    timers = Timers(clock=clock, fire=fire)
    timers.arm(_action(), "again", at=clock.now() + 1)
    clock.advance(2)
    assert count == [5]


def test_long_timers_that_were_called_off_do_not_pile_up() -> None:
    clock = ManualClock()
    timers = Timers(clock=clock, fire=lambda action, kind, lease: None)
    kept = _action()
    timers.arm(kept, "kept", at=clock.now() + 1e6)
    for _ in range(20 * FEW):
        action = _action()
        timers.arm(action, "deadline", at=clock.now() + 1e6)
        timers.forget(action)
    assert len(timers) == 1
    assert len(timers._heap) <= 2 * FEW + 2


def test_closing_calls_everything_off() -> None:
    clock = ManualClock()
    fired: list[str] = []
    timers = Timers(clock=clock, fire=lambda action, kind, lease: fired.append(kind))
    timers.arm(_action(), "one", at=clock.now() + 1)
    timers.close()
    clock.advance(5)
    assert not fired


# --- as the engine uses them ----------------------------------------------------------------------------------------


async def test_a_retry_is_made_although_the_wall_clock_was_set_back(bench: Bench) -> None:
    for name, reuse in (("r1", False), ("r2", True)):
        await bench.submit(task(retries=1, reuse=reuse), name=name)
        await bench.fail("a0")
        placed = len(bench.workers.placed)
        bench.clock.jump(-3_600)
        await bench.advance(1)
        assert len(bench.workers.placed) == placed + 1


async def test_a_wait_is_bounded_although_the_wall_clock_was_set_back(bench: Bench) -> None:
    key = await bench.submit(task(max_queued_time=5))
    bench.clock.jump(-60)
    await bench.advance(66)
    assert await bench.phase(key) is Phase.TIMED_OUT


async def test_the_back_off_does_not_count_as_a_wait(bench: Bench) -> None:
    spec = task(retries=1, max_queued_time=5)
    spec.retries.backoff.base.seconds, spec.retries.backoff.factor = 30, 1
    key = await bench.submit(spec)
    await bench.fail("a0")
    await bench.advance(29)
    assert await bench.phase(key) is Phase.QUEUED
    await bench.advance(5)
    assert await bench.phase(key) is Phase.INITIALIZING
    await bench.advance(2)
    assert await bench.phase(key) is Phase.TIMED_OUT


async def test_each_wait_has_its_whole_time(bench: Bench) -> None:
    key = await bench.submit(task(max_queued_time=5))
    for _ in range(3):
        await bench.advance(4)
        lost = worker_failure(exit_code=0, signal=0, out_of_memory=False, known=False, message="")
        bench.scheduler.engine.lost(bench.workers.lease_of("a0"), lost)
        await bench.advance(0.5)
    assert await bench.phase(key) is Phase.INITIALIZING


async def test_the_time_of_an_attempt_ends_with_it(bench: Bench) -> None:
    key = await bench.submit(task(retries=1, max_runtime=5))
    await bench.started("a0")
    await bench.advance(4)
    await bench.fail("a0")
    await bench.advance(0.6)
    await bench.started("a0")
    await bench.advance(4.9)
    assert await bench.phase(key) is Phase.RUNNING
    await bench.advance(0.2)
    assert await bench.phase(key) is Phase.TIMED_OUT


async def test_an_action_that_waits_for_room_is_not_said_to_wait_for_its_retry(bench: Bench) -> None:
    key = await bench.submit(task(retries=1))
    await bench.fail("a0")
    assert "retry" in (await bench.scheduler.queries.explain(key, "a0")).summary
    await bench.advance(1)
    assert not (await bench.scheduler.queries.explain(key, "a0")).HasField("not_before")
