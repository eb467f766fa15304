"""kill -9 of the platform while a run is under way: the run ends right, and nothing that was done is done again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.support.run_log import ROOT, RunLog, events_of, whole_log
from tests.system.programs import fan_outs

import flyte
from flyte.remote import Run

COUNT = 24

MOMENTS: dict[str, Callable[[RunLog], bool]] = {
    "before the first child": lambda log: ROOT in log.running(),
    "in the middle": lambda log: len(log.succeeded()) >= COUNT // 3,
    "near the end": lambda log: len(log.succeeded()) >= COUNT - 2,
}


def sum_of_squares(count: int) -> int:
    return sum(number * number for number in range(count))


def follow_until(run: Run, reached: Callable[[RunLog], bool]) -> RunLog:
    """The log of a run up to a moment that must come before its end."""
    log = RunLog()
    for event in events_of(run):
        log.add(event)
        if reached(log):
            return log
    raise AssertionError("the run ended before the moment came")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["fresh", "warm"])
def test_a_run_survives_the_platform_and_no_finished_child_runs_again(
    platform: PlatformUnderTest, ledger: Ledger, kind: str, moment: str
) -> None:
    pause = 0.5 if moment == "before the first child" else 0.0
    run = flyte.run(fan_outs.fan_out, kind, COUNT, ledger.path, 0.05, pause)
    before = follow_until(run, MOMENTS[moment])
    platform.kill()
    platform.assert_nothing_runs(within_s=3)
    begun_before = ledger.starts()
    platform.start()
    assert run.outputs()[0] == sum_of_squares(COUNT)
    after = whole_log(run)
    after.assert_continues(before)
    after.assert_each_action_ended_once()
    assert len(after.succeeded()) == COUNT
    ledger.assert_ran_once(before.succeeded())
    if moment == "before the first child":
        assert not begun_before
    assert set(ledger.starts()) == after.succeeded()
    assert max(ledger.starts().values()) <= 2


@pytest.mark.parametrize("seed", [2])
def test_any_process_may_be_killed_at_any_time(platform: PlatformUnderTest, ledger: Ledger, seed: int) -> None:
    chance, count = random.Random(seed), 40
    run = flyte.run(fan_outs.mixed, count, ledger.path, 0.05)
    for _ in range(6):
        time.sleep(chance.uniform(0, 0.3))
        others = [found for found in platform.processes() if found.pid != platform.pid]
        if others and chance.random() < 0.6:
            chance.choice(others).kill()
        else:
            platform.kill()
            platform.start()
    assert run.outputs()[0] == sum_of_squares(count)
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert len(log.succeeded()) == count


@pytest.mark.parametrize("seed", [1])
def test_a_platform_that_is_killed_again_and_again_still_ends_its_run(
    platform: PlatformUnderTest, ledger: Ledger, seed: int
) -> None:
    chance, count, kills = random.Random(seed), 120, 5
    run = flyte.run(fan_outs.mixed, count, ledger.path, 0.02)
    log, starts_when_done = RunLog(), dict[str, int]()
    goals = sorted(chance.sample(range(5, count - 10), kills))
    for goal in goals:
        log = follow_until(run, lambda log, goal=goal: len(log.succeeded()) >= goal)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.05))
        platform.kill()
        platform.assert_nothing_runs(within_s=3)
        starts = ledger.starts()
        starts_when_done = {action: starts[action] for action in log.succeeded()} | starts_when_done
        platform.start()
    assert run.outputs()[0] == sum_of_squares(count)
    after = whole_log(run)
    after.assert_continues(log)
    after.assert_each_action_ended_once()
    assert len(after.succeeded()) == count
    starts = ledger.starts()
    assert {action: starts[action] for action in starts_when_done} == starts_when_done
    assert max(starts.values()) <= kills + 1
