"""Settings of a run in the form: read, laid over those of an earlier run, refused at their control."""

from __future__ import annotations

import pytest

from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.console.launch.run_settings import control_of, read_settings, shown_settings
from flyteplane.console.launch.state import FormState


def test_settings_that_are_shown_are_read_as_they_were() -> None:
    settings = RunSettings(
        queue="slow",
        labels={"team": "vision", "empty": ""},
        env={"A": "x=y", "B": " spaced "},
        overwrite_cache=True,
        max_action_concurrency=7,
        service_account="robot",
    )
    read, problems = read_settings(shown_settings(settings), base=settings)
    assert problems == {}
    assert read == settings


def test_a_recovery_of_the_source_is_not_one_of_the_new_run() -> None:
    source = RunSettings(recover_from=RunId(name="older"), force_actions=["a"], queue="slow", labels={"old": "1"})
    read, _ = read_settings(FormState({"settings.queue": (" fast ",)}), base=source)
    assert read == RunSettings(queue="fast")


@pytest.mark.parametrize(
    ("control", "text", "word"),
    [
        ("settings.labels", "team", "KEY=VALUE"),
        ("settings.env", "=x", "KEY=VALUE"),
        ("settings.env", "A=1\nA=2", "twice"),
        ("settings.max_action_concurrency", "-1", "whole number"),
        ("settings.max_action_concurrency", "9" * 30, "whole number"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_control(control: str, text: str, word: str) -> None:
    _, problems = read_settings(FormState({control: (text,)}), base=RunSettings())
    assert word in problems[control]


def test_fields_that_the_platform_refuses_have_their_control() -> None:
    assert control_of("settings.env.PATH") == "settings.env"
    assert control_of("run.name") == "run.name"
    assert control_of("settings.environment") == ""
    assert control_of("") == ""
