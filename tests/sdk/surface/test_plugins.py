"""Kinds of tasks that plugins write as dataclasses, as they do for the peer SDK."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import pytest

import flyte
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry, TaskTemplate
from flyte.models import NativeInterface, SerializationContext
from flyte.wire.task_spec import task_to_proto


@dataclass
class Cluster:
    """What the plugin is configured with."""

    workers: int = 2


@dataclass(kw_only=True)
class ClusterTask(AsyncFunctionTaskTemplate[Any, Any, Any]):
    """A task that runs with a cluster."""

    plugin_config: Cluster
    task_type: str = "cluster"
    labels: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.labels.append(self.plugin_config.workers * "w")

    async def pre(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"cluster": f"{self.plugin_config.workers} workers"}


TaskPluginRegistry.register(Cluster, ClusterTask)
env = flyte.TaskEnvironment("clusters", plugin_config=Cluster(workers=3))


@env.task(retries=2)
async def work(x: int) -> str:
    return f"{x} on {flyte.ctx().data['cluster']}"


def test_the_plugins_template_makes_the_task_with_its_own_fields() -> None:
    assert isinstance(work, ClusterTask)
    assert (work.task_type, work.labels, work.retries.count) == ("cluster", ["www"], 2)
    assert flyte.run(work, 1).outputs() == ("1 on 3 workers",)


def test_such_tasks_are_overridden_sent_and_kept_in_dictionaries_as_any_other() -> None:
    changed = work.override(retries=5)
    assert isinstance(changed, ClusterTask)
    assert (changed.retries.count, changed.task_type) == (5, "cluster")
    assert len({work: 1, changed: 2}) == 2
    assert task_to_proto(work, module="m", attribute="work").plugin_config == '{"workers": 3}'


def test_a_configuration_without_a_plugin_is_refused_where_the_task_is_made() -> None:
    with pytest.raises(ValueError, match="No task plugin found for config type"):
        flyte.TaskEnvironment("other", plugin_config=object()).task(lambda: None)


class Query(AsyncFunctionTaskTemplate[Any, Any, Any]):
    """A kind of task whose statement another system would run."""

    def sql(self, sctx: SerializationContext) -> str | None:
        return "select 1"


def test_what_only_a_plugin_of_a_backend_could_do_runs_locally_and_is_refused_by_a_platform() -> None:
    async def answer() -> int:
        return 1

    query = Query(func=answer, name="queries.answer")
    assert flyte.run(query).outputs() == (1,)
    assert query.custom_config(SerializationContext(version="v")) == {}
    with pytest.raises(ValueError, match=r"queries.answer is a Query, whose sql\(\) is meant for a plugin"):
        task_to_proto(query, module="m", attribute="query")


@pytest.mark.parametrize("given", [{"task_resolver": "mine"}, {"produces_artifacts": True}], ids=str)
def test_a_setting_that_a_platform_would_ignore_is_refused_there(given: dict[str, Any]) -> None:
    async def answer() -> int:
        return 1

    task = flyte.TaskEnvironment("ignored").task(**given)(answer)
    assert flyte.run(task).outputs() == (1,)
    with pytest.raises(ValueError, match=f"{next(iter(given))} of ignored.answer"):
        task_to_proto(task, module="m", attribute="answer")


ONE_NUMBER = NativeInterface.from_types({"x": (int, inspect.Parameter.empty)}, {"o0": int})


@dataclass(kw_only=True)
class Times(TaskTemplate[Any, Any, Any]):
    """A kind of task without a function, made directly."""

    factor: int
    report: bool = False

    async def execute(self, *args: Any, **kwargs: Any) -> int:
        return int(kwargs["x"]) * self.factor


class Twice(Times):
    """A kind that extends such a one with a constructor of its own."""

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(**{"name": name, "interface": ONE_NUMBER, "factor": 2, **given})


def test_a_template_that_is_a_dataclass_takes_what_every_task_takes_and_its_own_fields() -> None:
    make: Any = Times  # a type checker sees the constructor that dataclass wrote
    task = make(name="sums.times", interface=ONE_NUMBER, factor=3, retries=1, cache="auto")
    assert flyte.run(task, x=2).outputs() == (6,)
    assert (task.name, task.retries.count, task.cache.behavior) == ("sums.times", 1, "auto")
    assert task.override(retries=0).retries.count == 0
    assert make(name="sums.times", interface=ONE_NUMBER, factor=3, report=True).settings.report.value is True
    assert flyte.run(Twice("sums.twice"), x=2).outputs() == (4,)
    assert len({task, Twice("sums.twice")}) == 2
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'factor'"):
        make(name="sums.times")
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        make(name="sums.times", factor=1, other=2)
