"""Conditions: a local run asks the person in front of it, a platform says at once that it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.semantics.conftest import PROGRAMS, Place
from tests.semantics.programs import questions

import flyte
import flyte.errors

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


def test_a_platform_refuses_a_condition_and_says_what_to_do(place: Place) -> None:
    if place.kind == "local":
        pytest.skip("a local run can ask")
    with pytest.raises(flyte.errors.RuntimeUserError, match="this platform cannot ask people"):
        place.result(questions.asks)


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
