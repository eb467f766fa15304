"""What a parent sees of a child that fails, and how often a child is tried, in local runs and on a platform alike."""

from __future__ import annotations

import pytest
from tests.semantics.conftest import Place
from tests.semantics.programs import trouble
from tests.support.ledger import Ledger

SEEN = {
    "own": "RuntimeUserError StockError user: nothing left",
    "non-recoverable": "NonRecoverableError NonRecoverableError user: for good",
    "subclass": "NonRecoverableError NonRecoverableError user: sold out",
    "custom": "CustomError KeyError user: 'k'",
    "coded": "RuntimeUserError MyCode user: with a code",
    "exit": "RuntimeUserError SystemExit user: The task called sys.exit(3).",
    "cancelled": "RuntimeUserError CancelledError user: ",
    "cancels itself": "RuntimeUserError CancelledError user: ",
    "stop": "RuntimeUserError StopAsyncIteration user: ",
}


def test_a_parent_sees_class_code_kind_and_message(place: Place) -> None:
    assert dict(zip(SEEN, place.result(trouble.sees, list(SEEN)), strict=True)) == SEEN


def test_a_parent_can_look_at_the_exception_itself(place: Place) -> None:
    assert place.result(trouble.status_of_rejected) == 409


def test_a_synchronous_child_fails_in_the_same_ways(place: Place) -> None:
    seen = place.result(trouble.sees_synchronous, ["exit", "stop", "plain"])
    assert seen == [
        "RuntimeUserError SystemExit user: The task called sys.exit('bye').",
        "RuntimeUserError StopIteration user: ",
        "RuntimeUserError StockError user: plain",
    ]


def test_an_output_of_another_type_is_the_tasks_failure(place: Place) -> None:
    (seen,) = place.result(trouble.sees, ["wrong output"])
    assert seen.startswith("RuntimeDataValidationError DataValidationError user: In variable 'o0'")


def test_attempts_are_counted_from_zero_and_the_budget_is_exact(place: Place, ledger: Ledger) -> None:
    assert place.result(trouble.retries, ledger.path, 2, "own") == "2"
    assert [entry["said"] for entry in ledger.entries()] == [0, 1, 2]
    assert len({entry["action"] for entry in ledger.entries()}) == 1


def test_the_last_failure_is_told_when_the_budget_is_used_up(place: Place, ledger: Ledger) -> None:
    assert place.result(trouble.retries, ledger.path, 9, "own") == SEEN["own"]
    assert len(ledger.entries()) == 3


@pytest.mark.parametrize("how", ["non-recoverable", "subclass"])
def test_a_non_recoverable_error_is_not_tried_again(place: Place, ledger: Ledger, how: str) -> None:
    assert place.result(trouble.retries, ledger.path, 9, how) == SEEN[how]
    assert len(ledger.entries()) == 1


def test_an_override_takes_retries_away(place: Place, ledger: Ledger) -> None:
    assert place.result(trouble.overridden, ledger.path) == SEEN["own"]
    assert len(ledger.entries()) == 1


def test_timeouts_end_an_attempt_and_deadlines_end_all(place: Place) -> None:
    assert place.result(trouble.out_of_time) == [
        "MaxRuntimeExceededError MaxRuntimeExceededError user",
        "DeadlineExceededError DeadlineExceededError user",
    ]


def test_inputs_and_outputs_over_the_limit_are_refused(place: Place) -> None:
    breached = "InlineIOMaxBytesBreached InlineIOMaxBytesBreached user"
    assert place.result(trouble.too_much) == ["a" * 900, breached, breached]


def test_a_parent_that_is_tried_again_is_given_what_its_children_gave(place: Place, ledger: Ledger) -> None:
    assert place.result(trouble.fails_after_children, ledger.path) == [
        "good",
        "RuntimeUserError StockError user: bad",
    ]
    assert [entry["word"] for entry in ledger.entries()] == ["good", "bad"]
