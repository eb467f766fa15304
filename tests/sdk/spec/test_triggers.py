"""Triggers: kept as written, checked before they are deployed."""

import copy
import pickle
from typing import Any

import pytest

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.trigger_rules import check_automation, check_trigger
from flyte.spec.triggers import Cron, FixedRate, Trigger, TriggerTime


@pytest.mark.parametrize(
    "expression", ["0 * * * *", "*/5 8-18 * * 1-5", "0 0 1 JAN,JUL *", "0 0 L * *", "@daily", "0 6 * * 7"]
)
def test_usual_cron_expressions_are_accepted(expression: Any) -> None:
    check_automation(Cron(expression))


@pytest.mark.parametrize(
    "expression", ["bogus", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "*/0 * * * *", "", "@often"]
)
def test_a_cron_expression_that_can_never_fire_is_refused(expression: Any) -> None:
    with pytest.raises(InvalidSetting, match="cron"):
        check_automation(Cron(expression))


def test_an_unknown_time_zone_is_refused() -> None:
    check_automation(Cron("0 * * * *", timezone="Europe/Berlin"))
    for timezone in ("Mars/X", "../etc/passwd", ""):
        with pytest.raises(InvalidSetting, match="time zone"):
            check_automation(Cron("0 * * * *", timezone=timezone))


@pytest.mark.parametrize("minutes", [0, -1, 10**9, "5", True])
def test_an_impossible_interval_is_refused(minutes: Any) -> None:
    with pytest.raises(InvalidSetting):
        check_automation(FixedRate(minutes))


def test_an_automation_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidSettingType):
        check_automation("0 * * * *")


def test_a_trigger_needs_a_name() -> None:
    with pytest.raises(ValueError, match="Trigger name cannot be empty"):
        Trigger("", Cron("0 * * * *"))
    with pytest.raises(InvalidSetting):
        check_trigger(Trigger("a/b", Cron("0 * * * *")))


@pytest.mark.parametrize("make", [Trigger.minutely, Trigger.hourly, Trigger.daily, Trigger.weekly, Trigger.monthly])
def test_the_usual_schedules_have_names_and_bind_the_time_of_fire(make: Any) -> None:
    trigger = make("at", inputs={"x": 1}, queue="nightly")
    check_trigger(trigger)
    assert trigger.inputs == {"x": 1, "at": TriggerTime}
    assert trigger.queue == "nightly"


def test_the_time_of_fire_stays_one_thing_when_it_is_copied() -> None:
    assert copy.deepcopy(TriggerTime) is TriggerTime
    assert pickle.loads(pickle.dumps(TriggerTime)) is TriggerTime
