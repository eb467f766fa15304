"""What a run's settings make of those of its tasks."""

from __future__ import annotations

import pytest

from flyte.spec.in_run import in_run
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import CachePolicy, TaskSpec


def test_a_queue_of_the_task_goes_first() -> None:
    spec = TaskSpec(queue="own", setting_levels={"queue": "decorator"})
    assert in_run(spec, RunSettings(queue="of-run"), fired=False) == spec


@pytest.mark.parametrize(("fired", "level"), [(False, "run"), (True, "trigger")])
def test_what_the_task_leaves_open_is_said_by_the_run_or_its_trigger(fired: bool, level: str) -> None:
    spec = TaskSpec()
    held = in_run(spec, RunSettings(queue="q", service_account="s", interruptible=True), fired=fired)
    assert (held.queue, held.service_account, held.interruptible) == ("q", "s", True)
    assert dict(held.setting_levels) == {"queue": level, "service_account": level, "interruptible": level}
    assert spec == TaskSpec()


def test_a_run_may_switch_interruptions_and_the_cache_off() -> None:
    spec = TaskSpec(interruptible=True, cache=CachePolicy(enabled=True))
    held = in_run(spec, RunSettings(interruptible=False, disable_cache=True), fired=False)
    assert (held.interruptible, held.cache.enabled) == (False, False)
    assert dict(held.setting_levels) == {"interruptible": "run", "cache": "run"}


def test_variables_of_both_are_there_and_those_of_the_task_win() -> None:
    spec = TaskSpec(env={"A": "task", "B": "task"}, setting_levels={"env_vars": "environment"})
    held = in_run(spec, RunSettings(env={"B": "run", "C": "run"}), fired=False)
    assert dict(held.env) == {"A": "task", "B": "task", "C": "run"}
    assert held.setting_levels["env_vars"] == "environment, run"


def test_a_run_without_settings_changes_nothing() -> None:
    spec = TaskSpec(queue="own", env={"A": "task"})
    assert in_run(spec, RunSettings(), fired=False) == spec
