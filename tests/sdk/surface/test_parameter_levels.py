"""The whole table of the specification: each parameter works at its levels, and is refused at every other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import V1Container, V1PodSpec, V1PodTemplate, V1PodTemplateSpec

import flyte
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry

Resources = flyte.Resources
POLICY = flyte.ReusePolicy(replicas=(1, 3), idle_ttl=60)
TEMPLATE = V1PodTemplate(
    template=V1PodTemplateSpec(spec=V1PodSpec(containers=[V1Container(name="primary", image="python")]))
)


class Engine:
    """A configuration that a plugin serves."""


class EngineTask(AsyncFunctionTaskTemplate[Any, Any, Any]):
    """The plugin's kind of task."""


TaskPluginRegistry.register(Engine, EngineTask)
ENGINE = Engine()
DEPENDENCY = flyte.TaskEnvironment("dependency")

YES, NO = True, False

# parameter, value, how a task shows it, and the columns of the table
TABLE: list[tuple[str, Any, Any, bool, bool, bool]] = [
    ("image", "python:3.12", "python:3.12", YES, NO, NO),
    # The table says no in the decorator, an example of the same page uses it there: it works.
    ("resources", Resources(cpu=2), Resources(cpu=2), YES, YES, YES),
    ("env", {"A": "1"}, {"A": "1"}, YES, NO, YES),
    ("env_vars", {"A": "1"}, {"A": "1"}, YES, NO, YES),
    ("secrets", ["s"], ["s"], YES, YES, YES),
    ("cache", "enabled", flyte.Cache("auto"), YES, YES, YES),
    ("pod_template", "named", "named", YES, YES, NO),
    ("pod_template", flyte.PodTemplate(labels={"a": "b"}), flyte.PodTemplate(labels={"a": "b"}), YES, YES, NO),
    ("pod_template", TEMPLATE, TEMPLATE, YES, YES, NO),
    ("reusable", POLICY, POLICY, YES, NO, YES),
    ("depends_on", [DEPENDENCY], None, YES, NO, NO),
    ("description", "what it is for", None, YES, NO, NO),
    ("plugin_config", ENGINE, ENGINE, YES, NO, NO),
    ("report", True, True, NO, YES, NO),
    ("max_inline_io_bytes", 1000, 1000, NO, YES, YES),
    ("retries", 2, flyte.RetryStrategy(2), NO, YES, YES),
    ("retries", flyte.RetryStrategy(3), flyte.RetryStrategy(3), NO, YES, YES),
    ("timeout", 30, 30, NO, YES, YES),
    ("docs", flyte.Documentation("d"), flyte.Documentation("d"), NO, YES, NO),
    ("queue", "q", "q", YES, YES, YES),
    ("task_queue", "q", "q", YES, YES, YES),
]
SHOWN_AS = {"env": "env_vars", "task_queue": "queue"}
BY_PARAMETER = [pytest.param(*row, id=f"{number}-{row[0]}") for number, row in enumerate(TABLE)]


def shown(task: Any, parameter: str) -> Any:
    return getattr(task, SHOWN_AS.get(parameter, parameter))


async def work(x: int = 1) -> int:
    return x


Make = Callable[[dict[str, Any]], Any]
AT_ENVIRONMENT: Make = lambda given: flyte.TaskEnvironment("levels", **given).task(work)  # noqa: E731
AT_DECORATOR: Make = lambda given: flyte.TaskEnvironment("levels").task(**given)(work)  # noqa: E731
AT_OVERRIDE: Make = lambda given: flyte.TaskEnvironment("levels").task(work).override(**given)  # noqa: E731


@pytest.mark.parametrize(("parameter", "value", "kept", "environment", "decorator", "override"), BY_PARAMETER)
def test_a_parameter_holds_where_the_table_says_yes_and_is_refused_elsewhere(
    parameter: str, value: Any, kept: Any, environment: bool, decorator: bool, override: bool
) -> None:
    for make, accepted in ((AT_ENVIRONMENT, environment), (AT_DECORATOR, decorator), (AT_OVERRIDE, override)):
        if not accepted:
            with pytest.raises((TypeError, ValueError), match=parameter.replace("_", ".") + "|" + parameter.title()):
                make({parameter: value})
            continue
        task = make({parameter: value})
        if kept is None:
            assert getattr(task.environment, parameter) == value
        else:
            assert shown(task, parameter) == kept


def test_a_name_is_the_environments_or_the_friendly_one_and_no_override() -> None:
    env = flyte.TaskEnvironment(name="env")
    task = env.task(name="A friendly name")(work)
    assert (task.name, task.short_name) == ("env.work", "A friendly name")
    assert env.task(short_name="as well")(work).short_name == "as well"
    with pytest.raises(ValueError, match="Name cannot be overridden"):
        task.override(name="other")
    with pytest.raises(TypeError, match="name"):
        flyte.TaskEnvironment()  # type: ignore[call-arg]


def test_a_more_specific_level_wins_and_replaces() -> None:
    env = flyte.TaskEnvironment(
        "env", cache="auto", secrets=["e"], pod_template="e", queue="e", resources=Resources(cpu=1, memory="1Gi")
    )
    task = env.task(cache="disable", secrets=["d"], pod_template="d", queue="d")(work)
    assert (task.cache.behavior, task.secrets, task.pod_template, task.queue) == ("disable", ["d"], "d", "d")
    changed = task.override(cache="auto", secrets=["o"], queue="o", resources=Resources(cpu=2))
    assert (changed.cache.behavior, changed.secrets, changed.queue) == ("auto", ["o"], "o")
    assert changed.resources == Resources(cpu=2)


@pytest.mark.parametrize(
    "empty", [{"retries": 0}, {"timeout": 0}, {"env": {}}, {"secrets": []}, {"max_inline_io_bytes": 0}], ids=str
)
def test_an_empty_value_is_a_value(empty: dict[str, Any]) -> None:
    env = flyte.TaskEnvironment("env", env={"A": "1"}, secrets=["s"])
    task = env.task(retries=3, timeout=60, max_inline_io_bytes=10)(work).override(**empty)
    ((parameter, value),) = empty.items()
    assert shown(task, parameter) == (flyte.RetryStrategy(0) if parameter == "retries" else value)


@pytest.mark.parametrize("parameter", ["resources", "env", "secrets"])
def test_what_warm_containers_are_made_with_is_overridden_only_with_reuse_off(parameter: str) -> None:
    given: Any = {"resources": Resources(cpu=4), "env": {"A": "1"}, "secrets": "s"}[parameter]
    task = flyte.TaskEnvironment("env", reusable=POLICY).task(work)
    with pytest.raises(ValueError, match=f"Cannot override {parameter} when reusable is set"):
        task.override(**{parameter: given})
    freed = task.override(reusable="off", **{parameter: given})
    assert (freed.reusable, shown(freed, parameter)) == (None, given)


@pytest.mark.parametrize(("parameter", "given"), [("secrets", "s"), ("resources", Resources(cpu=1))])
def test_the_decorator_of_a_reusable_environment_cannot_change_its_containers(parameter: str, given: Any) -> None:
    with pytest.raises(ValueError, match=f"Cannot override {parameter} when environment is reusable"):
        flyte.TaskEnvironment("env", reusable=POLICY).task(**{parameter: given})(work)


ENV: dict[str, Any] = {"env": {}, "env_vars": {}}
QUEUE: dict[str, Any] = {"queue": "a", "task_queue": "b"}


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (AT_ENVIRONMENT, ENV),
        (AT_ENVIRONMENT, QUEUE),
        (AT_DECORATOR, {"name": "a", "short_name": "b"}),
        (AT_DECORATOR, QUEUE),
        (AT_OVERRIDE, ENV),
        (AT_OVERRIDE, QUEUE),
        (lambda given: flyte.TaskEnvironment("base").clone_with("clone", **given), ENV),
        (lambda given: flyte.TaskEnvironment("base").task(work).with_overrides(**given), QUEUE),
        (lambda given: flyte.with_runcontext(**given), QUEUE),
        (lambda given: flyte.run(flyte.TaskEnvironment("base").task(work), **given), QUEUE),
    ],
)
def test_two_spellings_of_one_parameter_are_an_error(make: Make, given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="two spellings"):
        make(given)


def test_every_other_spelling_is_the_same_parameter() -> None:
    assert flyte.TaskEnvironment("base").clone_with("clone", env={"A": "1"}).env_vars == {"A": "1"}
    task = flyte.TaskEnvironment("base").task(work).with_overrides(env={"A": "1"}, task_queue="q")
    assert (task.env_vars, task.queue) == ({"A": "1"}, "q")
