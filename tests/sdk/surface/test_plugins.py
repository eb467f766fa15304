"""Kinds of tasks that plugins write as dataclasses, as they do for the peer SDK."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

import flyte
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry
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
