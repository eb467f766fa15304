"""Three levels, resolved: the more specific wins, values replace, and every setting knows where it came from."""

from typing import Any

import pytest

from flyte.spec.check import check_settings
from flyte.spec.not_given import NOT_GIVEN, is_given
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.resolve import PARAMETERS, Level, Resolved, canonical
from flyte.spec.resources import Resources
from flyte.spec.retries import RetryStrategy
from flyte.spec.reuse import ReusePolicy
from flyte.spec.secrets import Secret
from flyte.spec.settings import TaskSettings
from flyte.spec.triggers import Cron, Trigger


def test_a_more_specific_level_replaces_and_is_remembered() -> None:
    settings = TaskSettings().with_level({"cache": "disable", "env_vars": {"A": "1"}}, level=Level.ENVIRONMENT)
    settings = settings.with_level({"cache": "auto", "retries": 3}, level=Level.DECORATOR)
    settings = settings.with_level({"env_vars": {"B": "2"}}, level=Level.OVERRIDE)
    assert settings.cache.level is Level.DECORATOR
    assert settings.cache.value.behavior == "auto"
    assert settings.retries == Resolved(RetryStrategy(3), Level.DECORATOR)
    assert settings.env_vars == Resolved({"B": "2"}, Level.OVERRIDE)
    assert settings.timeout.level is Level.DEFAULT


def test_every_setting_is_told_with_its_level() -> None:
    told = dict(TaskSettings().with_level({"queue": "q"}, level=Level.ENVIRONMENT).items())
    assert told["queue"] == Resolved("q", Level.ENVIRONMENT)
    assert told["retries"] == Resolved(RetryStrategy(0), Level.DEFAULT)


@pytest.mark.parametrize("value", [0, {}, [], "", False])
def test_empty_and_zero_are_values_but_none_is_not(value: Any) -> None:
    assert is_given(value)
    assert not is_given(None)
    assert not is_given(NOT_GIVEN)


@pytest.mark.parametrize(
    ("level", "pair"),
    [
        (Level.ENVIRONMENT, ("env_vars", "env")),
        (Level.DECORATOR, ("short_name", "name")),
        (Level.OVERRIDE, ("queue", "task_queue")),
    ],
)
def test_both_spellings_are_one_parameter_and_giving_both_is_an_error(level: Any, pair: Any) -> None:
    first, second = pair
    assert canonical({second: "x"}, level=level) == {first: "x"}
    with pytest.raises(InvalidSettingType, match=f"{first} and {second} are two spellings of one parameter"):
        canonical({first: "x", second: "x"}, level=level)


@pytest.mark.parametrize("name", [parameter.name for parameter in PARAMETERS if parameter.fixed_while_reused])
def test_what_warm_containers_are_made_with_cannot_change_in_the_decorator(name: Any) -> None:
    reused = TaskSettings().with_level({"reusable": ReusePolicy()}, level=Level.ENVIRONMENT)
    values = {"resources": Resources(), "env_vars": {}, "secrets": [], "service_account": "x", "pod_template": "x"}
    with pytest.raises(InvalidSetting, match="when environment is reusable"):
        reused.with_level({name: values[name]}, level=Level.DECORATOR)


def test_switching_reuse_off_in_the_same_override_frees_them() -> None:
    reused = TaskSettings().with_level({"reusable": ReusePolicy()}, level=Level.ENVIRONMENT)
    with pytest.raises(InvalidSetting, match="Cannot override env when reusable is set"):
        reused.with_level({"env_vars": {}}, level=Level.OVERRIDE)
    freed = reused.with_level({"env_vars": {}, "reusable": "off"}, level=Level.OVERRIDE)
    assert freed.reusable == Resolved(None, Level.OVERRIDE)
    assert freed.env_vars == Resolved({}, Level.OVERRIDE)


def test_checked_settings_are_numbers_and_secrets() -> None:
    settings = TaskSettings().with_level(
        {"resources": Resources(cpu=1), "timeout": 5, "secrets": "key", "env_vars": {"A": "1"}}, level=Level.ENVIRONMENT
    )
    checked = check_settings(settings)
    assert checked.resources.cpu_request_millis == 1000
    assert checked.timeout.max_runtime_s == 5
    assert checked.secrets == (Secret("key"),)
    assert checked.env_vars == {"A": "1"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"resources": Resources(memory="abc")}, "resources.memory"),
        ({"timeout": -5}, "timeout.max_runtime"),
        ({"queue": "Not A Queue"}, "queue"),
        ({"env_vars": {"LD_PRELOAD": "x"}}, "env_vars"),
        ({"env_vars": {"KEY": "x"}, "secrets": "key"}, "env_vars"),
        ({"service_account": "A B"}, "service_account"),
        ({"triggers": (Trigger("t", Cron("bogus")),)}, "triggers.automation"),
        ({"triggers": (Trigger("t"), Trigger("t"))}, "triggers.name"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_field(given: Any, field: Any) -> None:
    settings = TaskSettings().with_level(given, level=Level.ENVIRONMENT)
    with pytest.raises(InvalidSetting) as refused:
        check_settings(settings)
    assert refused.value.field == field
