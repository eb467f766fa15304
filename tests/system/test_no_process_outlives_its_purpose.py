"""What tasks start ends with the platform, the worker or the run: children, other sessions, daemons without a trace."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.announcements import Announcements
from tests.support.platform import PlatformUnderTest
from tests.support.processes import alive, assert_ended
from tests.system.programs import households

import flyte
from flyte.models import ActionPhase

TASKS = {"fresh": households.fresh_household, "warm": households.warm_household}


def everyone(said: dict[str, Any]) -> list[int]:
    """The worker and all that it started."""
    return [said["pid"], *said["processes"].values()]


@pytest.mark.parametrize("kind", TASKS)
def test_a_platform_takes_workers_and_all_that_they_started_with_it_and_goes_on_with_the_run_later(
    platform: PlatformUnderTest, announcements: Announcements, kind: str
) -> None:
    run = flyte.run(TASKS[kind], announcements.path)
    household = everyone(announcements.next())
    assert all(alive(pid) for pid in household)
    platform.kill()
    assert_ended(household, within_s=3)
    platform.assert_nothing_runs(within_s=3)
    platform.start()
    again = everyone(announcements.next())
    run.wait(wait_for="running")
    platform.stop()
    assert_ended(again, within_s=1)
    platform.assert_nothing_runs(within_s=1)
    platform.assert_no_work_left()
    platform.start()
    last = everyone(announcements.next())
    run.abort()
    run.wait()
    platform.stop()
    assert_ended(last)
    platform.assert_no_work_left()


def test_a_platform_killed_together_with_its_template_leaves_nothing_behind(
    platform: PlatformUnderTest, announcements: Announcements
) -> None:
    run = flyte.run(households.fresh_household, announcements.path)
    household = announcements.next()
    template = platform.template()
    platform.freeze()
    template.kill()
    platform.kill()
    assert_ended([household["pid"], household["processes"]["child"]], within_s=3)
    platform.start()
    again = announcements.next()
    assert_ended(everyone(household), within_s=3)
    run.abort()
    run.wait()
    assert_ended(everyone(again))


def test_what_a_task_left_behind_ends_with_its_worker(shared: PlatformUnderTest, announcements: Announcements) -> None:
    run = flyte.run(households.fresh_household, announcements.path, stays=False)
    household = everyone(announcements.next())
    assert run.outputs()[0] == "left them behind"
    assert_ended(household)


def test_an_aborted_run_takes_its_whole_subtree_within_seconds(
    shared: PlatformUnderTest, announcements: Announcements
) -> None:
    run = flyte.run(households.street, announcements.path, 2, 1)
    said = [announcements.next() for _ in range(6)]
    everybody = [pid for one in said for pid in everyone(one)]
    assert all(alive(pid) for pid in everybody)
    run.abort("enough")
    run.wait()
    assert run.phase is ActionPhase.ABORTED
    assert_ended(everybody, within_s=5)
    actions = list(flyte.remote.Action.listall(run.name))
    assert len(actions) == 6
    assert {action.phase for action in actions} == {ActionPhase.ABORTED}
