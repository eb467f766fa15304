"""`flyte get task --explain`: each resolved setting with the level that set it."""

from __future__ import annotations

import flyte
from flyte.cli.resolved_settings import resolved_settings, settings_lines
from flyte.wire.task_spec import task_to_proto

env = flyte.TaskEnvironment(
    "explained",
    resources=flyte.Resources(cpu=1, memory="1Gi"),
    env_vars={"B": "2", "A": "1"},
    secrets=flyte.Secret("key", group="grp"),
    queue="gpu",
)


@env.task(retries=0, timeout=flyte.Timeout(max_runtime=60, deadline=3600), cache="auto", report=True)
async def task(x: int) -> int:
    """Do it."""
    return x


def explained(of: flyte.TaskTemplate) -> dict[str, tuple[object, str]]:  # type: ignore[type-arg]
    settings = resolved_settings(task_to_proto(of, module="m", attribute="task"))
    return {name: (one["value"], one["level"]) for name, one in settings.items()}


def test_every_value_is_shown_with_its_level() -> None:
    shown = explained(task)
    assert shown["resources"] == ({"cpu": "1", "memory": "1Gi"}, "environment")
    assert shown["env_vars"] == ({"A": "1", "B": "2"}, "environment")
    assert shown["secrets"] == (["grp/key as GRP_KEY"], "environment")
    assert shown["queue"] == ("gpu", "environment")
    assert shown["retries"] == ({"count": 0}, "decorator")
    assert shown["timeout"] == ({"max_runtime_s": 60.0, "deadline_s": 3600.0}, "decorator")
    assert shown["report"] == (True, "decorator")
    assert shown["image"] == ("auto", "default")
    assert shown["max_inline_io_bytes"] == (flyte.MAX_INLINE_IO_BYTES, "default")


def test_an_override_shows_as_one_even_where_it_takes_everything_away() -> None:
    shown = explained(task.override(env_vars={}, secrets=[], timeout=0, cache="disable"))
    assert shown["env_vars"] == ({}, "override")
    assert shown["secrets"] == ([], "override")
    assert shown["timeout"] == ({}, "override")
    assert shown["cache"] == ("disable", "override")


def test_people_get_one_line_for_each_setting() -> None:
    lines = settings_lines(resolved_settings(task_to_proto(task, module="m", attribute="task"))).splitlines()
    assert any(line.split() == ["queue", "gpu", "(from", "environment)"] for line in lines)
    assert any(line.split() == ["pod_template", "none", "(from", "default)"] for line in lines)
