"""Conditions: a local run asks the person in front of it, on a platform the answer comes by a signal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.semantics.conftest import PROGRAMS
from tests.semantics.programs import questions
from tests.support.platform import PlatformUnderTest

import flyte
import flyte.errors
import flyte.remote
from flyte.client.channel import connection
from flyte.client.init import set_settings
from flyte.models import ActionPhase
from flyte.remote.action import action_id
from flyte.remote.watching import watch_run
from flyte.syncify import syncify

START = "import flyte, questions, sys; print(flyte.run(getattr(questions, sys.argv[1])).outputs())"


@pytest.fixture
def person(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Runs a task in a process of its own and types; returns what was printed, and what was asked."""

    def run(task: str, typed: str | None) -> tuple[str, str]:
        environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(PROGRAMS)}
        process = subprocess.Popen(
            [sys.executable, "-c", START, task],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        if typed is not None:
            out, said = process.communicate(typed, timeout=60)
        else:
            # Standard input stays open, and nobody types.
            process.wait(60)
            assert process.stdout is not None
            assert process.stderr is not None
            out, said = process.stdout.read(), process.stderr.read()
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()
        assert process.returncode == 0, said
        return out.strip(), said

    return run


def test_answers_may_come_from_what_stands_in_for_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO("much\n7\ny\n"))
    local = flyte.with_runcontext("local")
    assert local.run(questions.asks).outputs()[0] == [7, True]
    with pytest.raises(flyte.errors.ConditionFailedError, match="has ended"):
        local.run(questions.asks_synchronously)


def test_answers_are_read_until_they_fit_and_kept_for_the_next_attempt(
    person: Callable[..., tuple[str, str]],
) -> None:
    out, said = person("asks", "much\n12\nyes\n")
    assert out == "ActionOutputs(o0=[12, True])"
    assert said.count("How much?") == 1
    assert "Try again" in said


def test_a_synchronous_task_asks_as_well_and_no_name_twice(person: Callable[..., tuple[str, str]]) -> None:
    assert person("asks_synchronously", "plenty\n")[0] == "ActionOutputs(o0='plenty ConditionAlreadyExistsError')"


def test_a_question_that_nobody_answers_times_out(person: Callable[..., tuple[str, str]]) -> None:
    assert person("nobody_answers", None)[0] == "ActionOutputs(o0='ConditionTimedoutError')"


@pytest.fixture
def platform(standing_platform: PlatformUnderTest) -> Iterator[PlatformUnderTest]:
    """A platform that runs the programs."""
    flyte.init(endpoint=standing_platform.endpoint, root_dir=PROGRAMS)
    yield standing_platform
    set_settings(None)


@syncify
async def asked(run_name: str, name: str) -> flyte.remote.Condition:
    """The condition, once the run waits for it."""
    run = action_id(run_name, "a0").run
    async for piece in watch_run(connection(), run):
        if any(event.header.is_condition and event.header.short_name == name for event in piece.events):
            found = await flyte.remote.Condition.get.aio(name, run_name=run_name)
            assert found is not None
            return found
    raise AssertionError(f"the run has ended without asking {name}")


def paused_runs() -> list[str]:
    return [run.name for run in flyte.remote.Run.listall(paused_actions_only=True)]


def test_on_a_platform_answers_come_by_signal_and_the_next_attempt_knows_them(platform: PlatformUnderTest) -> None:
    run = flyte.run(questions.asks)
    amount = asked(run.name, "amount")
    assert (amount.prompt, amount.expected_type, amount.phase) == ("How much?", int, ActionPhase.PAUSED)
    with pytest.raises(TypeError, match="asks for an int"):
        amount.signal("many")
    amount.signal(12)
    amount.signal(12)
    with pytest.raises(flyte.errors.RuntimeUserError, match="has ended before"):
        amount.signal(13)
    approval = asked(run.name, "approval")
    assert [waiting.name for waiting in flyte.remote.Condition.listall(run.name)] == ["approval"]
    assert run.name in paused_runs()
    assert platform.ask("signal", "condition", run.name, "approval", "yes").returncode == 0
    run.wait()
    assert run.name not in paused_runs()
    assert run.outputs()[0] == [12, True]
    assert flyte.remote.Condition.get("approval", run_name=run.name).done()  # type: ignore[union-attr]
    assert approval.parent_name == "a0"


def test_a_synchronous_task_asks_on_a_platform_as_well(platform: PlatformUnderTest) -> None:
    run = flyte.run(questions.asks_synchronously)
    asked(run.name, "word").signal("plenty")
    run.wait()
    assert run.outputs()[0] == "plenty ConditionAlreadyExistsError"


def test_a_question_that_nobody_answers_on_a_platform_times_out(platform: PlatformUnderTest) -> None:
    run = flyte.run(questions.nobody_answers)
    run.wait()
    assert run.outputs()[0] == "ConditionTimedoutError"


def test_a_question_goes_with_the_run_that_asked(platform: PlatformUnderTest) -> None:
    run = flyte.run(questions.asks)
    amount = asked(run.name, "amount")
    run.abort()
    with pytest.raises(flyte.errors.RuntimeUserError, match="has ended before"):
        amount.signal(3)
    told = platform.ask("signal", "condition", run.name, "another", "3")
    assert told.returncode == 1
    assert "has no condition another" in told.stderr


def test_a_question_outlives_the_platform_that_kept_it(tmp_path: Path) -> None:
    platform = PlatformUnderTest(tmp_path / "platform")
    try:
        platform.start()
        flyte.init(endpoint=platform.endpoint, root_dir=PROGRAMS)
        run = flyte.run(questions.asks)
        amount = asked(run.name, "amount")
        platform.kill()
        platform.start()
        amount.signal(12)
        asked(run.name, "approval").signal(False)
        run.wait()
        assert run.outputs()[0] == [12, False]
        platform.stop()
        platform.assert_nothing_runs()
    finally:
        set_settings(None)
        platform.destroy()


def test_a_condition_belongs_to_a_task() -> None:
    with pytest.raises(flyte.errors.NotInTaskContextError, match="inside of a task"):
        flyte.new_condition("early")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"data_type": list}, "Invalid data_type <class 'list'>. Must be one of"),
        ({"prompt_type": "html"}, "prompt_type must be"),
        ({"timeout": 0}, "timeout must be more than 0"),
    ],
)
def test_parameters_of_a_condition_are_checked(parameters: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        flyte.new_condition("checked", **parameters)  # type: ignore[arg-type]
