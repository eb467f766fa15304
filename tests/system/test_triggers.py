"""Triggers on a real platform: deployed with their task, fired by the clock and by hand, over a platform's death."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.platform import PlatformUnderTest
from tests.system.conftest import PROGRAMS

import flyte
import flyte.errors
from flyte.remote import Run, Trigger, TriggerDetails

TASK = "scheduled.report"


@pytest.fixture
def deployed(platform: PlatformUnderTest) -> PlatformUnderTest:
    """A platform of the test's own on which the task is deployed."""
    done = platform.flyte("deploy", "--root-dir", str(PROGRAMS), str(PROGRAMS / "scheduled.py"))
    assert done.returncode == 0, done.stderr
    return platform


@pytest.fixture(autouse=True)
def _nothing_is_left(deployed: PlatformUnderTest) -> Iterator[None]:
    yield
    deployed.stop()
    deployed.assert_nothing_runs()


def started_by(trigger: str) -> list[Run]:
    """Runs of a trigger."""
    return [run for run in Run.listall(task_name=TASK) if run.to_dict().get("trigger") == trigger]


def test_triggers_are_deployed_with_their_task_and_fired_by_hand(deployed: PlatformUnderTest) -> None:
    listed = json.loads(deployed.ask("get", "trigger", TASK, "--json").stdout)
    assert [(one["name"], one["schedule"], one["active"]) for one in listed] == [
        ("by-hand", "by hand", True),
        ("nightly", "0 3 * * * (Europe/Berlin)", True),
    ]
    run = flyte.run(TriggerDetails.get(name="by-hand", task_name=TASK))
    run.wait()
    assert run.outputs()[0] == "UTC True 3"
    with pytest.raises(TypeError, match="own inputs"):
        flyte.run(TriggerDetails.get(name="by-hand", task_name=TASK), factor=4)


def test_a_planned_time_is_fired_once_although_the_platform_is_killed(deployed: PlatformUnderTest) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    every_hour = flyte.FixedRate(60, start_time=soon)
    made = Trigger.create(flyte.Trigger("soon", every_hour, inputs={"when": flyte.TriggerTime}), TASK)
    deployed.kill()
    assert made.next_fire_at == soon
    deployed.start()
    run = wait_for_run("soon")
    run.wait()
    assert run.outputs()[0] == "UTC True 1"
    deployed.kill()
    deployed.start()
    assert len(started_by("soon")) == 1
    fired = TriggerDetails.get(name="soon", task_name=TASK)
    assert fired.last_fired_at == soon
    assert fired.next_fire_at == soon + timedelta(hours=1)


def wait_for_run(trigger: str) -> Run:
    """The first run of a trigger, as soon as there is one. Nothing tells of new runs: they are listed again."""
    deadline = time.monotonic() + 30
    while not (runs := started_by(trigger)):
        assert time.monotonic() < deadline, "the trigger has not fired"
        time.sleep(0.1)
    return runs[0]


def test_triggers_are_made_switched_and_deleted_by_command(deployed: PlatformUnderTest) -> None:
    made = deployed.ask("create", "trigger", TASK, "weekly", "--schedule", "0 6 * * 1", "--trigger-time-var", "when")
    assert "It fires next at" in made.stdout, made.stderr
    off = deployed.ask("update", "trigger", "weekly", TASK, "--deactivate")
    assert "is inactive" in off.stdout
    assert not TriggerDetails.get(name="weekly", task_name=TASK).is_active
    assert deployed.ask("delete", "trigger", "weekly", TASK).returncode == 0
    gone = deployed.ask("get", "trigger", TASK, "weekly")
    assert gone.returncode == 1
    assert "has no trigger" in gone.stderr
    wrong = deployed.ask("create", "trigger", TASK, "wrong", "--schedule", "every day")
    assert wrong.returncode == 1
    assert "five fields" in wrong.stderr
