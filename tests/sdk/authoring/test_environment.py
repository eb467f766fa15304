"""Environments: parameters, clones, dependencies and the registry."""

import gc
import pickle
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

import flyte
from flyte.authoring import registry
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.resolve import Level


def test_both_spellings_of_variables_and_queue_are_one_parameter() -> None:
    environment = flyte.TaskEnvironment("e", env={"A": "1"}, task_queue="q")
    assert (environment.env_vars, environment.queue) == ({"A": "1"}, "q")
    with pytest.raises(TypeError, match="env_vars and env are two spellings"):
        flyte.TaskEnvironment("e", env={}, env_vars={})
    with pytest.raises(TypeError, match="queue and task_queue are two spellings"):
        flyte.TaskEnvironment("e", queue="a", task_queue="b")


def test_parameters_have_the_defaults_of_the_specification() -> None:
    environment = flyte.TaskEnvironment("e")
    assert (environment.image, environment.cache, environment.interruptible) == ("auto", "disable", False)
    assert (environment.depends_on, environment.include, environment.tasks) == ([], (), {})
    nothing = (environment.reusable, environment.resources, environment.secrets, environment.env_vars)
    assert nothing == (None, None, None, None)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("image", 5, "Expected image to be of type str or Image, got <class 'int'>"),
        ("resources", "1", "Expected resources to be of type Resources, got <class 'str'>"),
        ("env_vars", [], "Expected env_vars to be of type Dict[str, str], got <class 'list'>"),
        ("depends_on", "x", "Expected depends_on to be of type List[Environment], got <class 'str'>"),
        ("pod_template", 5, "Expected pod_template to be of type str or PodTemplate, got <class 'int'>"),
        ("reusable", "off", "Expected reusable to be of type ReusePolicy, got <class 'str'>"),
        ("queue", 5, "Expected queue to be of type str, got <class 'int'>"),
        ("interruptible", "yes", "Expected interruptible to be of type bool, got <class 'str'>"),
        ("description", 5, "Expected description to be of type str, got <class 'int'>"),
        ("include", [1], "Expected include to be a sequence of str paths, got [1]."),
    ],
)
def test_a_parameter_of_another_type_is_refused_with_its_name(parameter: Any, value: Any, message: Any) -> None:
    with pytest.raises(InvalidSettingType) as refused:
        flyte.TaskEnvironment("e", **{parameter: value})
    assert str(refused.value) == message
    assert refused.value.field == parameter


def test_a_long_description_is_cut_and_said_so() -> None:
    with pytest.warns(UserWarning, match="300 characters and is cut to 255"):
        environment = flyte.TaskEnvironment("e", description="d" * 300)
    assert environment.description == "d" * 255


def test_a_clone_differs_in_what_is_given_and_has_no_tasks() -> None:
    base = flyte.TaskEnvironment(
        "base", cache="auto", env_vars={"A": "1"}, resources=flyte.Resources(cpu=1), reusable=flyte.ReusePolicy()
    )

    @base.task
    async def task() -> None: ...

    clone = base.clone_with("clone", env={}, reusable="off")
    assert (clone.name, clone.cache, clone.env_vars, clone.reusable) == ("clone", "auto", {}, None)
    assert clone.resources == base.resources
    assert clone.tasks == {}
    assert base.env_vars == {"A": "1"}


def test_a_clone_owns_its_dependencies() -> None:
    base = flyte.TaskEnvironment("base")
    dependent = flyte.TaskEnvironment("dependent", depends_on=[base])
    clone = dependent.clone_with("clone")
    clone.add_dependency(flyte.TaskEnvironment("other"))
    assert dependent.depends_on == [base]


def test_dependencies_come_first_and_once_even_in_a_circle() -> None:
    a, b, c = (flyte.TaskEnvironment(name) for name in "abc")
    a.add_dependency(b, c)
    b.add_dependency(c)
    c.add_dependency(a)
    assert registry.with_dependencies([a, b]) == [c, b, a]
    a.add_dependency(b)
    assert a.depends_on == [b, c]


def test_two_environments_of_one_name_cannot_be_deployed_together() -> None:
    a = flyte.TaskEnvironment("a", depends_on=[flyte.TaskEnvironment("same")])
    with pytest.raises(InvalidSetting, match="Duplicate environment name 'same' found"):
        registry.with_dependencies([a, flyte.TaskEnvironment("same")])


def test_the_registry_forgets_environments_that_are_gone() -> None:
    environment = flyte.TaskEnvironment("registered-env")

    @environment.task
    async def task() -> None: ...

    assert environment in registry.environments()
    del environment, task
    gc.collect()
    assert "registered-env" not in [one.name for one in registry.environments()]


def test_an_environment_of_tasks_without_one_takes_their_settings() -> None:
    first = flyte.TaskEnvironment("a", image="x", resources=flyte.Resources(cpu=2))

    @first.task
    async def task() -> None: ...

    made = flyte.TaskEnvironment.from_task("made", task)
    assert (made.image, made.resources) == ("x", flyte.Resources(cpu=2))
    assert made.tasks == {"a.task": task}
    with pytest.raises(InvalidSetting, match="same image"):
        flyte.TaskEnvironment.from_task(
            "made", task, task.with_settings(task.settings.with_level({"image": "y"}, level=Level.ENVIRONMENT))
        )
    with pytest.raises(InvalidSetting, match="at least one"):
        flyte.TaskEnvironment.from_task("made")


async def module_level(x: int) -> int:
    return x


def test_environments_and_tasks_can_be_pickled() -> None:
    environment = flyte.TaskEnvironment("pickled", env={"A": "1"})
    task = environment.task(retries=2)(module_level)
    again = pickle.loads(pickle.dumps(task))
    assert (again.name, again.retries.count, again.env_vars) == ("pickled.module_level", 2, {"A": "1"})
    assert again.environment.tasks[again.name] is again


@dataclass
class TeamEnvironment(flyte.TaskEnvironment):
    """An environment with a field of its own, written as a dataclass."""

    team: str = "nobody"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mail = f"{self.team}@example.org"


def test_a_kind_of_environment_can_be_a_dataclass_with_fields_of_its_own() -> None:
    environment = TeamEnvironment("team", cache="auto", env_vars={"A": "1"}, team="data")

    @environment.task
    async def task(x: int) -> int:
        return x

    assert flyte.run(task, 3).outputs() == (3,)
    assert (environment.mail, environment.resources, environment.tasks) == ("data@example.org", None, {task.name: task})
    clone = environment.clone_with("clone", resources=flyte.Resources(cpu=1))
    assert (type(clone), clone.team, clone.cache, clone.tasks) == (TeamEnvironment, "data", "auto", {})
    assert environment.clone_with("clone", team="web").mail == "web@example.org"
    assert len({environment, clone}) == 2, "environments are themselves, also where dataclass would compare them"
    with pytest.raises(InvalidSetting, match="snake_case or kebab-case"):
        TeamEnvironment("No Name")
    with pytest.raises(TypeError, match="Unexpected keyword arguments: \\['boss'\\]"):
        environment.clone_with("clone", boss="me")


def test_an_environment_has_the_fields_of_its_parameters_in_their_order() -> None:
    names = [field.name for field in fields(flyte.TaskEnvironment)]
    assert names[:3] == ["name", "depends_on", "pod_template"]
    assert names[-4:] == ["cache", "reusable", "plugin_config", "queue"]
    other = replace(flyte.TaskEnvironment("one", env_vars={"A": "1"}), name="other")
    assert (other.name, other.env_vars, other.secrets) == ("other", {"A": "1"}, None)


def test_only_tasks_make_an_environment() -> None:
    with pytest.raises(InvalidSettingType, match="Expected tasks to be of type TaskTemplate, got <class 'function'>"):
        flyte.TaskEnvironment.from_task("made", module_level)  # type: ignore[arg-type]  # what is refused
