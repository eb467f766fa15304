"""kill -9 of a worker, a replica or the template: only what was lost is done again."""

from __future__ import annotations

import os
import signal

import pytest
from tests.support.announcements import Announcements
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended
from tests.support.run_log import RunLog, events_of, whole_log
from tests.system.programs import fan_outs, households

import flyte

PATIENTS = {"fresh": households.patient, "warm": households.warm_patient}


@pytest.mark.parametrize("kind", PATIENTS)
def test_an_attempt_whose_worker_is_killed_is_tried_again_elsewhere(
    shared: PlatformUnderTest, announcements: Announcements, kind: str
) -> None:
    run = flyte.run(PATIENTS[kind], announcements.path, 7)
    first = announcements.next()
    os.kill(first["pid"], signal.SIGKILL)
    assert_ended([first["pid"], *first["processes"].values()])
    second = announcements.next()
    assert second["pid"] != first["pid"]
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert run.outputs()[0] == 7
    errors = [event.error.code for event in whole_log(run).events if event.HasField("error")]
    assert len(errors) == 1


@pytest.mark.parametrize("kind", ["fresh", "warm"])
def test_killing_workers_of_a_fan_out_repeats_only_their_own_attempts(
    shared: PlatformUnderTest, ledger: Ledger, kind: str
) -> None:
    run = flyte.run(fan_outs.fan_out, kind, 24, ledger.path, 0.4)
    before = RunLog()
    for event in events_of(run):
        before.add(event)
        if len(before.succeeded()) >= 6:
            break
    victim = ledger.entries()[-1]["pid"]
    os.kill(victim, signal.SIGKILL)
    assert run.outputs()[0] == sum(number * number for number in range(24))
    after = whole_log(run)
    after.assert_continues(before)
    after.assert_each_action_ended_once()
    ledger.assert_ran_once(before.succeeded())
    again = {action for action, starts in ledger.starts().items() if starts > 1}
    victims = {entry["action"] for entry in ledger.entries() if entry["pid"] == victim}
    assert again
    assert again <= victims


@pytest.mark.parametrize("kind", ["fresh", "warm"])
def test_a_killed_template_is_replaced_and_the_run_ends_right(
    platform: PlatformUnderTest, ledger: Ledger, kind: str
) -> None:
    run = flyte.run(fan_outs.fan_out, kind, 24, ledger.path, 0.05)
    before = RunLog()
    for event in events_of(run):
        before.add(event)
        if len(before.succeeded()) >= 6:
            break
    template = platform.template()
    template.kill()
    assert run.outputs()[0] == sum(number * number for number in range(24))
    whole_log(run).assert_each_action_ended_once()
    ledger.assert_ran_once(before.succeeded())
    assert flyte.run(fan_outs.fan_out, "fresh", 2, ledger.path, 0.0).outputs()[0] == 1
    assert platform.template().pid != template.pid
