"""What an attempt finds of the attempts before it, in local runs and on a platform alike."""

from __future__ import annotations

from tests.semantics.conftest import Place
from tests.semantics.programs import memory
from tests.support.ledger import Ledger


def test_traced_calls_that_ended_are_not_made_again(place: Place, ledger: Ledger) -> None:
    found = place.result(memory.traced, ledger.path)
    first = {"x": 1, "call": 0}
    assert found == [first, first, {"x": 2, "call": 0}, 6, [0, 1], [0, 1], 1]
    assert [entry["traced"] for entry in ledger.entries()] == [
        *("fetch 1", "fetch 1", "fetch 2", "compute 5"),
        *("stream 0", "stream 1", "items 0", "items 1"),
        *("fails_once", "fails_once"),
    ]


def test_a_traced_function_calls_no_task(place: Place) -> None:
    assert place.result(memory.task_in_trace) == "TraceDoesNotAllowNestedTasksError"


def test_a_checkpoint_survives_retries_also_one_that_saves_nothing(place: Place) -> None:
    assert place.result(memory.keeps_bytes) == [2, "first", True]


def test_a_checkpoint_may_be_a_folder_or_a_file(place: Place) -> None:
    assert place.result(memory.keeps_folder) == ["model.bin", "epoch 3, 4"]


def test_the_durable_clock_is_read_once_and_a_sleep_is_slept_once(place: Place) -> None:
    found = place.result(memory.keeps_time)
    assert found["same"] is True
    assert found["slept"] < 0.99


def test_a_blocking_durable_sleep_is_slept_once(place: Place) -> None:
    assert place.result(memory.sleeps_synchronously) < 0.99


def test_a_blocking_sleep_on_a_running_loop_is_refused(place: Place) -> None:
    assert place.result(memory.sleeps_on_the_loop) == "SyncTaskCallInAsyncContextError"
