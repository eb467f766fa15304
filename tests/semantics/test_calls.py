"""How tasks call each other, in local runs and on a platform alike."""

from __future__ import annotations

from tests.semantics.conftest import Place
from tests.semantics.programs import calling
from tests.support.ledger import Ledger


def test_a_synchronous_task_calls_tasks_of_both_kinds(place: Place) -> None:
    assert place.result(calling.from_synchronous) == [3, 2, 4, [(7, "7")], 6]


def test_an_asynchronous_task_calls_tasks_of_both_kinds(place: Place) -> None:
    assert place.result(calling.from_asynchronous) == [2, 3, 4, (3, "3"), None, 2]


def test_a_blocking_call_on_a_running_loop_is_refused_and_says_what_to_write(place: Place) -> None:
    said = place.result(calling.blocks_the_loop)
    assert said.startswith("SyncTaskCallInAsyncContextError: ")
    assert "await triple.aio(...)" in said


def test_defaults_positions_and_names_are_bound_as_in_python(place: Place) -> None:
    assert place.result(calling.gives_defaults) == ["1 20 c None", "1 2 c None", "1 3 x [4]"]


def test_calls_that_do_not_fit_are_refused_where_they_are_made(place: Place) -> None:
    assert place.result(calling.wrong_calls) == [
        "ValueError: Missing required inputs: x",
        "ValueError: Too many positional arguments provided, expected inputs dict_keys(['x']), args 2",
        "ValueError: Missing required inputs: x",
        "TypeError: Type conversion failed for variable 'x'.",
    ]


def test_outputs_are_one_value_a_tuple_or_a_named_tuple(place: Place) -> None:
    assert place.result(calling.several, 4) == (4, "4")
    outputs = place.run(calling.named, 2.25).outputs()
    assert (list(outputs), outputs.whole, outputs.o1) == ([2, 0.25], 2, 0.25)
    assert place.result(calling.reads_named, 2.25) == "Split 2 0.25 True"
    nothing = place.run(calling.nothing).outputs()
    assert (len(nothing), nothing[0], nothing.o0) == (1, None, None)


def test_a_map_is_ordered_zipped_windowed_and_gives_failures_as_values(place: Place) -> None:
    assert place.result(calling.maps) == [
        [111, 112, 113],
        [11, 22],
        [0, 1, "RuntimeUserError ValueError not 2", 3],
        [0, 2, 4],
        [],
    ]


def test_a_synchronous_map_raises_the_first_failure_if_asked_to(place: Place) -> None:
    assert place.result(calling.maps_synchronously) == [[3, 4, 5], "ValueError"]


def test_never_more_than_the_window_runs_at_once(place: Place, ledger: Ledger) -> None:
    assert place.result(calling.in_a_window, 6, 2, ledger.path) == list(range(6))
    running, most = 0, 0
    for entry in ledger.entries():
        running += 1 if entry["what"] == "begins" else -1
        most = max(most, running)
    assert most <= 2
