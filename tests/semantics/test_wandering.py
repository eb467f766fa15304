"""Calls from other loops and threads, of large values, and calls that are given up, in both places alike."""

from __future__ import annotations

from tests.semantics.conftest import Place
from tests.semantics.programs import wandering
from tests.support.ledger import Ledger


def test_a_synchronous_task_may_run_a_loop_of_its_own(place: Place) -> None:
    assert place.result(wandering.with_a_loop_of_its_own) == [4, 8]


def test_a_synchronous_task_may_call_from_threads(place: Place) -> None:
    assert place.result(wandering.with_threads) == [0, 1, 8]


def test_an_asynchronous_task_may_block_on_a_thread(place: Place) -> None:
    assert place.result(wandering.from_a_thread) == 27


def test_a_task_may_call_itself(place: Place) -> None:
    assert place.result(wandering.factorial, 4) == 24


def test_equal_calls_are_calls_of_their_own(place: Place, ledger: Ledger) -> None:
    assert place.result(wandering.equal_calls, ledger.path) == [1, 1, 1]
    assert len({entry["action"] for entry in ledger.entries()}) == 3


def test_large_values_arrive_whole(place: Place) -> None:
    assert place.result(wandering.large_values) == [True, True]


def test_a_child_that_its_parent_gives_up_is_ended(place: Place, ledger: Ledger) -> None:
    assert place.result(wandering.gives_up, ledger.path) == "gave up"
    assert [entry["what"] for entry in ledger.entries()] == ["begins"]


def test_failures_beside_successes_are_kept_apart(place: Place) -> None:
    assert place.result(wandering.fails_beside_others) == ["0", "one", "4", "LookupError"]


def test_a_child_has_context_variables_of_its_own(place: Place) -> None:
    assert place.result(wandering.context_variables) == ["child", "parent"]
