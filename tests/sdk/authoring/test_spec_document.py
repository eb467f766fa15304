"""The programs of the specification of the task configuration, level by level."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.sdk.authoring.recording_controller import RecordingController, inside_a_task

import flyte
from flyte import Resources
from flyte.spec.resolve import Level


async def test_the_three_levels_work_together() -> None:
    env = flyte.TaskEnvironment(
        name="data_processing",
        resources=flyte.Resources(cpu=1, memory="512Mi"),
        cache="disable",
        secrets=flyte.Secret("db-credentials"),
    )

    @env.task(cache="auto", retries=3, timeout=300)
    async def process_data(data_path: str) -> str:
        """Process data with custom cache and retry settings."""
        return f"Processed {data_path}"

    @env.task
    async def main_workflow() -> str:
        return await process_data.override(resources=flyte.Resources(cpu=4, memory="2Gi"))("input.csv")

    assert await main_workflow() == "Processed input.csv"
    overridden = process_data.override(resources=flyte.Resources(cpu=4, memory="2Gi"))
    levels = {name: setting.level for name, setting in overridden.settings.items()}
    assert levels["resources"] is Level.OVERRIDE
    assert levels["cache"] is levels["retries"] is levels["timeout"] is Level.DECORATOR
    assert levels["secrets"] is Level.ENVIRONMENT
    assert process_data.resources == flyte.Resources(cpu=1, memory="512Mi")
    checked = overridden.checked()
    assert checked.timeout.max_runtime_s == 300
    assert checked.secrets[0].as_env_var == "DB_CREDENTIALS"


def test_the_fully_qualified_name_is_environment_and_function() -> None:
    env = flyte.TaskEnvironment(name="my_env")

    @env.task
    async def my_task(data: str) -> str:
        return data

    assert my_task.name == "my_env.my_task"

    @env.task(name="A friendly name")
    async def named(data: str) -> str:
        return data

    assert (named.name, named.short_name) == ("my_env.named", "A friendly name")


async def test_reusable_environments_are_overridden_only_with_reuse_off() -> None:
    env = flyte.TaskEnvironment(
        name="my_env", resources=Resources(cpu=1), reusable=flyte.ReusePolicy(replicas=2, idle_ttl=300)
    )

    @env.task
    async def my_task(data: str) -> str:
        return data

    with pytest.raises(ValueError, match=r"set reusable='off'"):
        my_task.override(resources=Resources(cpu=4))
    freed = my_task.override(reusable="off", resources=Resources(cpu=4))
    assert (freed.reusable, freed.resources) == (None, Resources(cpu=4))
    assert await freed("x") == "x"


def test_the_decorator_gives_one_task_more_resources() -> None:
    env = flyte.TaskEnvironment(name="my_env", resources=flyte.Resources(cpu=1, memory="250Mi"))

    @env.task()
    async def my_task(data: str) -> str:
        return data

    @env.task(resources=flyte.Resources(cpu=2, memory="500Mi"))
    async def my_big_task(data: str) -> str:
        return data

    assert my_task.resources == flyte.Resources(cpu=1, memory="250Mi")
    assert my_big_task.resources == flyte.Resources(cpu=2, memory="500Mi")


def test_the_decorator_takes_every_parameter_of_its_signature() -> None:
    env = flyte.TaskEnvironment(name="my_env")

    @env.task(
        name="friendly",
        cache=flyte.Cache("auto"),
        retries=flyte.RetryStrategy(2, backoff=flyte.Backoff(timedelta(seconds=1))),
        timeout=timedelta(minutes=5),
        docs=flyte.Documentation("docs"),
        secrets=["a", flyte.Secret("b")],
        pod_template="named",
        report=True,
        max_inline_io_bytes=100 * 1024 * 1024,
    )
    def task() -> None: ...

    assert (task.report, task.pod_template, task.docs) == (True, "named", flyte.Documentation("docs"))
    assert task.checked().timeout.max_runtime_s == 300
    assert [secret.key for secret in task.checked().secrets] == ["a", "b"]


async def test_tasks_of_several_environments_call_each_other() -> None:
    env1 = flyte.TaskEnvironment(name="env1")
    env2 = flyte.TaskEnvironment(name="env2", resources=flyte.Resources(cpu=1, memory="250Mi"))

    @env1.task
    async def say_hello(data: str, lt: list[int]) -> str:
        return f"{data} {lt}"

    @env2.task
    async def square(i: int = 3) -> int:
        return i * i

    @env1.task
    async def hello_wf(data: str = "default string") -> str:
        return await say_hello(data, [await square(i) for i in range(3)])

    controller = RecordingController()
    with inside_a_task(controller):
        assert await hello_wf() == "default string [0, 1, 4]"
    assert [call.task for call in controller.calls[:2]] == ["env1.hello_wf", "env2.square"]


async def test_queues_are_named_in_environments_and_overrides() -> None:
    env = flyte.TaskEnvironment("queued", task_queue="gcp-useast-1")

    @env.task
    async def my_task() -> None: ...

    assert my_task.queue == "gcp-useast-1"
    assert my_task.override(task_queue="other").queue == "other"


async def test_inline_limits_are_set_by_the_decorator_and_overridden() -> None:
    env = flyte.TaskEnvironment("x")

    @env.task(max_inline_io_bytes=100 * 1024 * 1024)
    async def foo() -> None: ...

    @env.task
    async def main() -> None:
        await foo.with_overrides(max_inline_io_bytes=1)()

    await main()
    assert foo.max_inline_io_bytes == flyte.MAX_INLINE_IO_BYTES
    assert foo.with_overrides(max_inline_io_bytes=1).max_inline_io_bytes == 1


TABLE = {
    "name": (True, True, False),
    "image": (True, False, False),
    "resources": (True, True, True),  # the table refuses it in the decorator, an example of the same page uses it
    "env": (True, False, True),
    "secrets": (True, True, True),
    "cache": (True, True, True),
    "pod_template": (True, True, False),
    "reusable": (True, False, True),
    "depends_on": (True, False, False),
    "description": (True, False, False),
    "plugin_config": (True, False, False),
    "report": (False, True, False),
    "max_inline_io_bytes": (False, True, True),
    "retries": (False, True, True),
    "timeout": (False, True, True),
    "docs": (False, True, False),
}
VALUES: dict[str, Any] = {
    "name": "x",
    "image": "x",
    "resources": Resources(cpu=1),
    "env": {"A": "1"},
    "secrets": "s",
    "cache": "auto",
    "pod_template": "p",
    "reusable": flyte.ReusePolicy(),
    "depends_on": [],
    "description": "d",
    "report": True,
    "max_inline_io_bytes": 5,
    "retries": 1,
    "timeout": 1,
    "docs": flyte.Documentation("d"),
}


@pytest.mark.parametrize(("parameter", "levels"), [(name, levels) for name, levels in TABLE.items() if name in VALUES])
def test_each_parameter_is_accepted_at_its_levels_and_refused_elsewhere(parameter: Any, levels: Any) -> None:
    async def func() -> None: ...

    given: dict[str, Any] = {parameter: VALUES[parameter]}
    attempts: list[Callable[[], object]] = [
        lambda: flyte.TaskEnvironment(**{"name": "levels", **given}),
        lambda: flyte.TaskEnvironment("levels").task(**given)(func),
        lambda: flyte.TaskEnvironment("levels").task(func).override(**given),
    ]
    for attempt, accepted in zip(attempts, levels, strict=True):
        if accepted:
            attempt()
        else:
            with pytest.raises((TypeError, ValueError)):
                attempt()
