"""Every program of the specification of the task configuration, as it stands there."""

from __future__ import annotations

import ast
import inspect
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.surface import specification as spec

import flyte
from flyte.spec.resolve import Level
from flyte.wire.task_spec import task_to_proto

PRELUDE = "from typing import List\nimport flyte\nfrom flyte import Resources\n"
"""What the page takes for granted around its fragments."""

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Run blocks as one file, because that is what users do with them, and return the file's names."""

    def run(*blocks: str) -> dict[str, Any]:
        file = tmp_path / "program.py"
        file.write_text(PRELUDE + "\n".join(blocks))
        return runpy.run_path(str(file))

    return run


@pytest.mark.parametrize(
    "blocks",
    [
        (spec.GETTING_STARTED,),
        (spec.THREE_LEVELS,),
        (spec.FULL_NAME,),
        (spec.REUSE_OFF,),
        (spec.ENVIRONMENT_LEVEL,),
        (spec.ENVIRONMENT_LEVEL, spec.DECORATOR_LEVEL),
        (spec.ONE_ENVIRONMENT, spec.ONE_ENVIRONMENT_TASKS),
        (spec.TWO_ENVIRONMENTS, spec.TWO_ENVIRONMENTS_TASKS),
        (spec.INLINE_LIMIT,),
    ],
    ids=lambda blocks: blocks[-1].splitlines()[0],
)
def test_every_task_of_a_block_becomes_a_task_version(load: Load, blocks: tuple[str, ...]) -> None:
    tasks = [value for value in load(*blocks).values() if isinstance(value, flyte.TaskTemplate)]
    assert tasks
    for task in tasks:
        assert task_to_proto(task, module="program", attribute=task.name.partition(".")[2]).name == task.name


def test_the_three_levels_run_and_each_setting_knows_its_level(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_CREDENTIALS", "from the shell")
    found = load(spec.THREE_LEVELS)
    assert flyte.run(found["main_workflow"]).outputs() == ("Processed input.csv",)
    task = found["process_data"].override(resources=flyte.Resources(cpu=4, memory="2Gi"))
    levels = {name: setting.level for name, setting in task.settings.items()}
    assert levels["secrets"] is Level.ENVIRONMENT
    assert levels["cache"] is levels["retries"] is levels["timeout"] is Level.DECORATOR
    assert levels["resources"] is Level.OVERRIDE


def test_the_full_name_is_environment_and_function(load: Load) -> None:
    assert load(spec.FULL_NAME)["my_task"].name == "my_env.my_task"


def test_what_the_comment_says_will_fail_fails_and_the_way_out_works(load: Load) -> None:
    task = load(spec.REUSE_OFF)["my_task"]
    with pytest.raises(ValueError, match="Cannot override resources when reusable is set"):
        task.override(resources=flyte.Resources(cpu=4))
    freed = task.override(reusable="off", resources=flyte.Resources(cpu=4))
    assert (freed.reusable, freed.resources) == (None, flyte.Resources(cpu=4))


def test_the_decorator_overrides_the_environment_for_one_task_only(load: Load) -> None:
    found = load(spec.ENVIRONMENT_LEVEL, spec.DECORATOR_LEVEL)
    assert found["my_task"].resources == flyte.Resources(cpu=1, memory="250Mi")
    assert found["my_big_task"].resources == flyte.Resources(cpu=2, memory="500Mi")


def test_the_decorator_has_every_parameter_of_the_printed_signature() -> None:
    printed = ast.parse(spec.DECORATOR_SIGNATURE.rstrip() + ": ...").body[0]
    assert isinstance(printed, ast.FunctionDef)
    ours = inspect.signature(flyte.TaskEnvironment.task).parameters
    assert [argument.arg for argument in printed.args.args] == list(ours)[:2]
    assert {argument.arg for argument in printed.args.kwonlyargs} <= ours.keys()


def test_several_environments_have_configurations_of_their_own(load: Load) -> None:
    found = load(spec.TWO_ENVIRONMENTS, spec.TWO_ENVIRONMENTS_TASKS)
    assert found["square"].resources == flyte.Resources(cpu=1, memory="250Mi")
    assert found["hello_wf"].resources is found["say_hello"].resources is None
    assert found["square"].parent_env_name == "env2"


def test_the_last_program_runs(load: Load) -> None:
    found = load(spec.INLINE_LIMIT)
    flyte.run(found["main"])
    assert found["foo"].max_inline_io_bytes == flyte.MAX_INLINE_IO_BYTES == 100 * 1024 * 1024


def test_a_queue_is_named_in_all_the_ways_that_are_listed() -> None:
    env = flyte.TaskEnvironment("queued", task_queue="gcp-useast-1")

    @env.task
    async def my_task(n: int = 1) -> int:
        return n

    assert my_task.queue == "gcp-useast-1"
    assert my_task.override(task_queue="gcp-useast-2").queue == "gcp-useast-2"
    assert flyte.run(my_task, 2, task_queue="gcp-useast1-1").outputs() == (2,)
    assert flyte.run(my_task, queue="gcp-useast1-1").outputs() == (1,)
    assert flyte.with_runcontext(task_queue="gcp-useast1-1").context.queue == "gcp-useast1-1"


def test_an_input_that_is_called_queue_is_an_input() -> None:
    env = flyte.TaskEnvironment("queued")

    @env.task
    async def my_task(queue: str) -> str:
        return queue

    assert flyte.run(my_task, queue="an input").outputs() == ("an input",)
