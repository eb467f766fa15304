"""Failures of user code: each is told as what it is, exactly as often as it may happen, and hurts nobody else."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended
from tests.system.programs import failing

import flyte
import flyte.errors
from flyte.errors import BaseRuntimeError
from flyte.models import ActionPhase
from flyte.remote import Run

pytestmark = pytest.mark.usefixtures("shared")


def failure_of(task: Any, *inputs: Any) -> tuple[Run, BaseRuntimeError]:
    """Runs a task that must not succeed."""
    run = flyte.run(task, *inputs)
    run.wait()
    error = run.error()
    assert error is not None, f"it succeeded: {run.outputs()}"
    return run, error


def attempts_of(run: Run) -> int:
    attempts: int = run.details().action_details.attempts
    return attempts


@pytest.fixture(autouse=True)
def nothing_stays_behind(standing_platform: PlatformUnderTest) -> Iterator[None]:
    yield
    kept = {standing_platform.pid}
    left = [found for found in standing_platform.processes() if "sleep 600" in found.command and found.pid not in kept]
    assert not left


def test_an_exception_is_told_with_the_traceback_of_user_code_alone() -> None:
    _, error = failure_of(failing.raises, 7)
    assert (error.code, str(error)) == ("OrderError", "order 7 cannot be placed")
    traceback = error.remote_traceback  # type: ignore[attr-defined]
    frames = [line.strip() for line in traceback.splitlines() if line.strip().startswith("File ")]
    assert [frame.rpartition(" in ")[2] for frame in frames] == ["raises", "_place"]
    assert all("failing.py" in frame for frame in frames)
    assert "OrderError: order 7 cannot be placed" in traceback.splitlines()[-1]


def test_the_cause_of_an_exception_is_told_too() -> None:
    _, error = failure_of(failing.raises_with_cause, 7)
    assert str(error) == "no orders today"
    traceback = error.remote_traceback  # type: ignore[attr-defined]
    assert "order 7 cannot be placed" in traceback
    assert "The above exception was the direct cause" in traceback
    assert "/flyte/" not in traceback


def test_a_failure_passes_through_the_parent_or_is_caught_there() -> None:
    run, error = failure_of(failing.calls_what_raises, 7)
    assert error.code == "OrderError"
    first = run.first_failure()
    assert first is not None
    assert first.task_name == "failing.raises"
    assert flyte.run(failing.catches_what_raises, 7).outputs()[0] == "OrderError: order 7 cannot be placed"


@pytest.mark.parametrize("task", [failing.ends_itself, failing.ends_itself_while_awaiting])
@pytest.mark.parametrize("way", ["sys.exit", "os._exit", "exit in a thread"])
def test_a_task_that_exits_has_failed_with_its_exit_code_and_without_another_try(
    ledger: Ledger, task: Any, way: str
) -> None:
    run, error = failure_of(task, way, ledger.path)
    assert run.phase is ActionPhase.FAILED
    assert "3" in str(error)
    assert "exit" in str(error).lower()
    assert run.message.error.exit_code == 3
    assert attempts_of(run) == len(ledger.entries()) == 1


@pytest.mark.parametrize(("way", "number"), [("kill", 9), ("segfault", 11)])
def test_a_task_that_kills_its_worker_each_time_ends_after_the_budget_for_that(
    ledger: Ledger, way: str, number: int
) -> None:
    run, error = failure_of(failing.ends_itself, way, ledger.path)
    assert run.phase is ActionPhase.FAILED
    assert f"signal {number}" in str(error)
    assert attempts_of(run) == len(ledger.entries()) == 4


@pytest.mark.parametrize("way", ["sys.exit", "os._exit", "kill"])
def test_a_task_that_ends_its_replica_fails_and_the_pool_lives_on(ledger: Ledger, way: str) -> None:
    run, _ = failure_of(failing.ends_its_replica, way, ledger.path)
    assert run.phase is ActionPhase.FAILED
    assert len(ledger.entries()) <= 4
    assert flyte.run(failing.fine, 5).outputs()[0] == 5


def test_an_output_that_cannot_be_serialised_is_named() -> None:
    run, error = failure_of(failing.returns_what_cannot_be_kept)
    assert "lock" in str(error)
    assert attempts_of(run) == 1


def test_an_output_of_the_wrong_type_is_refused_with_both_types() -> None:
    run, error = failure_of(failing.returns_the_wrong_type)
    assert "int" in str(error)
    assert "str" in str(error)
    assert attempts_of(run) == 1


def test_too_few_outputs_are_refused() -> None:
    _, error = failure_of(failing.returns_too_few)
    assert "2" in str(error)
    assert "1" in str(error)


def test_outputs_over_the_limit_are_refused_with_the_limit() -> None:
    assert flyte.run(failing.returns_too_much, 500).outputs()[0] == "x" * 500
    _, error = failure_of(failing.returns_too_much, 5000)
    assert "1000" in str(error) or "1,000" in str(error)
    assert "max_inline_io_bytes" in str(error)


def test_inputs_over_the_limit_are_refused_before_anything_runs() -> None:
    with pytest.raises(BaseRuntimeError, match="max_inline_io_bytes"):
        flyte.run(failing.takes_little, "x" * 5000)
    _, error = failure_of(failing.passes_too_much, 5000)
    assert "max_inline_io_bytes" in str(error)


def test_large_values_within_the_limit_travel_whole() -> None:
    size = 3 * 1024 * 1024
    assert flyte.run(failing.large, size).outputs()[0] == "x" * size


@pytest.mark.parametrize(("success", "attempts"), [(1, 1), (3, 3), (4, 4)])
def test_a_task_is_tried_until_it_succeeds(ledger: Ledger, success: int, attempts: int) -> None:
    run = flyte.run(failing.fails_until, success, ledger.path)
    assert run.outputs()[0] == attempts
    assert attempts_of(run) == len(ledger.entries()) == attempts


def test_a_task_is_not_tried_once_more_than_it_may(ledger: Ledger) -> None:
    run, error = failure_of(failing.fails_until, 9, ledger.path)
    assert "attempt 4" in str(error)
    assert [state.attempt for state in run.details().action_details.attempt_states] == [1, 2, 3, 4]
    assert [entry["attempt"] for entry in ledger.entries()] == [1, 2, 3, 4]


def test_the_pause_before_each_retry_grows_as_it_was_asked(ledger: Ledger) -> None:
    failure_of(failing.backs_off, ledger.path)
    at = [entry["at"] for entry in ledger.entries()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert len(pauses) == 3
    for pause, asked in zip(pauses, (0.2, 0.4, 0.8), strict=True):
        assert asked <= pause < asked + 5.0


def test_a_failure_that_is_final_is_not_tried_again(ledger: Ledger) -> None:
    run, error = failure_of(failing.gives_up, ledger.path)
    assert "no such customer" in str(error)
    assert attempts_of(run) == len(ledger.entries()) == 1


@pytest.mark.parametrize(
    "task",
    [
        failing.sleeps_in_c,
        failing.blocks_all_signals,
        failing.awaits_for_ever,
        failing.refuses_to_be_cancelled,
        failing.sleeps_on_a_replica,
    ],
    ids=lambda task: task.name,
)
def test_a_task_over_its_time_is_ended_whatever_it_does(ledger: Ledger, task: Any) -> None:
    began = time.monotonic()
    run, error = failure_of(task, ledger.path)
    assert run.phase is ActionPhase.TIMED_OUT
    assert isinstance(error, flyte.errors.TaskTimeoutError)
    assert 1.0 <= time.monotonic() - began < 8
    if task is not failing.sleeps_on_a_replica:
        assert_ended([entry["pid"] for entry in ledger.entries()], within_s=8)
    assert len(ledger.entries()) == 1


def test_a_replica_that_was_blocked_works_again_after_the_timeout(ledger: Ledger) -> None:
    failure_of(failing.sleeps_on_a_replica, ledger.path)
    assert flyte.run(failing.fine, 6).outputs()[0] == 6


def test_results_of_children_are_kept_when_their_parent_is_tried_again(ledger: Ledger) -> None:
    run = flyte.run(failing.parent_that_fails_once, 5, ledger.path)
    assert run.outputs()[0] == 15
    assert attempts_of(run) == 2
    assert sorted(entry["number"] for entry in ledger.entries()) == [0, 1, 2, 3, 4, 5]
    assert len(list(flyte.remote.Action.listall(run.name))) == 7
