"""Warm replicas on the platform itself: they never deadlock, and what they had to do for it can be seen."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.announcements import Announcements
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended
from tests.support.run_log import events_of, whole_log
from tests.system.conftest import connect
from tests.system.programs import warm_pools

import flyte
import flyte.errors
from flyte.client.init import set_settings

OVERFLOW: Final = 10
OPERATOR_FILE: Final = f"""
reuse_pool:
  overflow_replicas: {OVERFLOW}
  overflow_idle_s: 1
  lease_s: 5
  lease_margin_s: 0
  start_backoff_s: 0.1
  start_backoff_cap_s: 0.5
"""


@pytest.fixture(scope="module")
def own_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform with limits of its own, for all tests of this module."""
    folder = tmp_path_factory.mktemp("reuse")
    (folder / "flyteplane.yaml").write_text(OPERATOR_FILE)
    options = ("--config", str(folder / "flyteplane.yaml"), "--metrics-listen", "127.0.0.1:0")
    platform = PlatformUnderTest(folder / "platform", options=options)
    try:
        platform.start()
        yield platform
        platform.stop()
        platform.assert_nothing_runs()
        platform.assert_no_work_left()
    finally:
        platform.destroy()


@pytest.fixture
def warm(own_platform: PlatformUnderTest) -> Iterator[PlatformUnderTest]:
    """The same, with this process as its client."""
    connect(own_platform)
    yield own_platform
    set_settings(None)


def pools(platform: PlatformUnderTest, environment: str) -> list[dict[str, Any]]:
    """The living pools of an environment, as programs see them."""
    listed: list[dict[str, Any]] = json.loads(platform.ask("get", "pool", "--json").stdout)
    return [pool for pool in listed if pool["environment"] == environment]


def pool(platform: PlatformUnderTest, environment: str) -> dict[str, Any]:
    """The only one."""
    (found,) = pools(platform, environment)
    return found


def reasons(run: flyte.remote.Run) -> list[str]:
    """What is said of how attempts were placed."""
    return [event.reason for event in whole_log(run).events if event.reason]


# --- parents that wait for children in their own pool -----------------------------------------------------------------


@pytest.mark.parametrize(
    "task", [warm_pools.down, warm_pools.adown, warm_pools.down_by_turns], ids=lambda task: task.name
)
def test_a_recursion_deeper_than_its_pool_gets_on(warm: PlatformUnderTest, task: Any) -> None:
    assert flyte.run(task, depth=8).outputs()[0] == 8


def test_what_a_recursion_needed_is_seen_on_its_actions_and_in_figures(warm: PlatformUnderTest) -> None:
    before = pool(warm, "pools_tight")["overflow_started"] if pools(warm, "pools_tight") else 0
    run = flyte.run(warm_pools.down, depth=4)
    assert run.outputs()[0] == 4
    assert reasons(run).count("on an overflow replica, since parents wait in its pool") >= 4
    shown = warm.ask("get", "action", run.name).stdout
    assert shown.count("on an overflow replica") == 4
    assert pool(warm, "pools_tight")["overflow_started"] >= before
    deepest = shown.splitlines()[-1].split()[0]
    explained = json.loads(warm.ask("get", "action", run.name, deepest, "--explain", "--json").stdout)
    assert "overflow replica" in json.dumps(explained)


def test_a_lent_slot_is_seen_on_the_action_that_used_it(warm: PlatformUnderTest) -> None:
    run = flyte.run(warm_pools.adown, depth=3)
    assert run.outputs()[0] == 3
    assert reasons(run).count("in a slot that a waiting parent lent") >= 1
    found = pool(warm, "pools_tight")
    assert found["placed_in_lent_slots"] >= 1
    assert len([replica for replica in found["replicas"] if not replica["overflow"]]) == 1


@pytest.mark.parametrize("task", [warm_pools.tree, warm_pools.sync_tree], ids=lambda task: task.name)
def test_a_tree_of_children_gets_on_in_a_pool_with_one_slot(warm: PlatformUnderTest, task: Any) -> None:
    assert flyte.run(task, depth=3, width=3).outputs()[0] == 27


@pytest.mark.parametrize("task", [warm_pools.ping, warm_pools.aping], ids=lambda task: task.name)
def test_two_pools_that_wait_for_each_other_get_on(warm: PlatformUnderTest, task: Any) -> None:
    assert flyte.run(task, depth=8).outputs()[0] == 8


def test_a_tree_whose_levels_lie_in_two_pools_gets_on_within_the_bound(warm: PlatformUnderTest) -> None:
    run = flyte.run(warm_pools.ping_tree, depth=4, width=3)
    assert run.outputs()[0] == 81
    assert not [event for event in whole_log(run).events if event.HasField("error")]


def test_recursions_that_fight_for_one_slot_all_end(warm: PlatformUnderTest) -> None:
    assert flyte.run(warm_pools.many_downs, depth=3, count=3).outputs()[0] == [3, 3, 3]


def test_beyond_the_bound_of_the_operator_a_task_is_told_why_it_cannot_run(warm: PlatformUnderTest) -> None:
    run = flyte.run(warm_pools.down, depth=OVERFLOW + 3)
    with pytest.raises(flyte.errors.BaseRuntimeError, match=f"{OVERFLOW} overflow replicas") as refused:
        run.outputs()
    assert "Raise replicas of the ReusePolicy" in str(refused.value)
    assert flyte.run(warm_pools.down, depth=2).outputs()[0] == 2


# --- replicas that are lost -------------------------------------------------------------------------------------------


def test_a_replica_that_is_killed_while_it_idles_is_replaced_and_nobody_is_charged(
    warm: PlatformUnderTest, announcements: Announcements
) -> None:
    first: int = flyte.run(warm_pools.where, announcements.path).outputs()[0]
    os.kill(first, signal.SIGKILL)
    assert_ended([first])
    run = flyte.run(warm_pools.where, announcements.path)
    assert run.outputs()[0] != first
    assert not [event for event in whole_log(run).events if event.HasField("error")]
    assert pool(warm, "pools_calm")["replicas_lost"] >= 1


def test_a_frozen_replica_loses_its_lease_and_changes_nothing_when_it_goes_on(
    warm: PlatformUnderTest, announcements: Announcements
) -> None:
    run = flyte.run(warm_pools.hold, announcements.path)
    first = announcements.next()
    os.kill(first["pid"], signal.SIGSTOP)
    second = announcements.next()
    assert second["pid"] != first["pid"]
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert_ended([first["pid"]])
    assert run.outputs()[0] == second["pid"]
    (lost,) = [event.error for event in whole_log(run).events if event.HasField("error")]
    assert lost.code == "REPLICA_LOST"
    assert "has not been heard of for" in lost.message


def test_a_task_that_kills_three_replicas_is_quarantined_and_the_pool_lives_on(
    warm: PlatformUnderTest, announcements: Announcements
) -> None:
    run = flyte.run(warm_pools.kill_replica)
    with pytest.raises(flyte.errors.BaseRuntimeError, match="was killed by signal 9") as ended:
        run.outputs()
    assert ended.value.code == "QUARANTINED"
    assert "has taken 3 replicas down" in str(ended.value)
    log = whole_log(run)
    assert len([event for event in log.events if event.HasField("error")]) == 3
    log.assert_each_action_ended_once()
    assert flyte.run(warm_pools.where, announcements.path).outputs()[0]


def test_a_pool_whose_replicas_cannot_start_backs_off_and_says_why(warm: PlatformUnderTest) -> None:
    run = flyte.run(warm_pools.starve)
    error = next(event.error for event in events_of(run) if event.HasField("error"))
    assert error.code == "REPLICA_START_FAILED"
    assert "replicas of the pool cannot be started" in error.message
    found = pool(warm, "pools_starved")
    assert found["failed_starts"] >= 3
    assert found["trouble"]
    assert found["placed"] == 0
    run.abort()


def test_neighbours_of_a_task_that_ends_its_replica_are_not_charged(warm: PlatformUnderTest) -> None:
    run = flyte.run(warm_pools.neighbourhood)
    numbers, ended = run.outputs()
    assert numbers == [0, 1, 2]
    assert "13" in ended
    log = whole_log(run)
    log.assert_each_action_ended_once()
    tries: dict[str, int] = {}
    for event in log.events:
        if event.HasField("error"):
            tries[log.tasks[event.action]] = tries.get(log.tasks[event.action], 0) + 1
    # Once together with all others, which is held against nobody, then alone until its retries are used up.
    assert tries["pools_wide.bad_neighbour"] == 3


# --- runs beside each other -------------------------------------------------------------------------------------------


def test_runs_that_give_other_variables_do_not_see_each_others(
    warm: PlatformUnderTest, announcements: Announcements, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    held = flyte.with_runcontext(env_vars={"WORD": "one"}).run(warm_pools.word, announcements.path, str(gate))
    announcements.next()
    other = flyte.with_runcontext(env_vars={"WORD": "two"}).run(warm_pools.word, announcements.path, "")
    assert other.outputs()[0] == ["two", "two"]
    again = flyte.with_runcontext(env_vars={"WORD": "one"}).run(warm_pools.word, announcements.path, "")
    assert again.outputs()[0] == ["one", "one"]
    gate.write_text("go")
    assert held.outputs()[0] == ["one", "one"]
    assert [found["draining"] for found in pools(warm, "pools_wide")].count(True) == 0


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_pool_grows_with_its_backlog_and_is_resized_and_drained_by_hand(warm: PlatformUnderTest) -> None:
    assert flyte.run(warm_pools.crowd, count=9, seconds=0.3).outputs()[0] == list(range(9))
    found = pool(warm, "pools_several")
    assert (found["min_replicas"], found["max_replicas"], len(found["replicas"])) == (0, 3, 3)
    short = found["pool"][:8]
    said = warm.ask("update", "pool", short, "--replicas", "1").stdout
    assert said == f"Pool {found['pool'][:12]} of pools_several has 1 replicas from now on.\n"
    assert flyte.run(warm_pools.crowd, count=3, seconds=0.1).outputs()[0] == [0, 1, 2]
    resized = pool(warm, "pools_several")
    assert (resized["min_replicas"], resized["max_replicas"]) == (1, 1)
    assert len([replica for replica in resized["replicas"] if replica["state"] != "draining"]) == 1
    assert "lets its replicas go" in warm.ask("drain", "pool", short).stdout
    assert flyte.run(warm_pools.crowd, count=2, seconds=0.1).outputs()[0] == [0, 1]
    assert pool(warm, "pools_several")["max_replicas"] == 3
