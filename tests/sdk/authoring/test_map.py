"""flyte.map: order, window, groups, failures."""

import asyncio
import itertools
from functools import partial
from typing import Any

import pytest
from tests.sdk.authoring.recording_controller import DrivingController, RecordingController, inside_a_task

import flyte
from flyte.errors import SyncTaskCallInAsyncContextError

env = flyte.TaskEnvironment("mapped")


@env.task
async def slow_double(x: int) -> int:
    # Earlier elements take longer, so that order cannot come from completion.
    await asyncio.sleep(0.02 / (x + 1))
    return 2 * x


@env.task
async def never_but_first(x: int) -> int:
    if x == 0:
        await asyncio.Event().wait()
    return x


@env.task
async def picky(x: int) -> int:
    if x == 1:
        raise ValueError("one")
    return x


@env.task
def add(x: int, y: int) -> int:
    return x + y


async def collect(iterator: Any) -> Any:
    return [item async for item in iterator]


async def test_results_come_in_the_order_of_the_inputs_and_all_run_at_once() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert await collect(flyte.map.aio(slow_double, range(10))) == [2 * x for x in range(10)]
    assert controller.most_running == 10
    assert {call.group for call in controller.calls} == {"mapped.slow_double_map"}


async def test_the_window_bounds_what_runs_at_once() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert await collect(flyte.map.aio(slow_double, range(10), concurrency=3, group_name="g")) == [
            2 * x for x in range(10)
        ]
    assert controller.most_running == 3
    assert controller.calls[0].group == "mapped.slow_double_g"


async def test_failures_are_results_unless_they_are_to_be_raised() -> None:
    with inside_a_task(RecordingController()):
        first, failure, last = await collect(flyte.map.aio(picky, range(3)))
        assert (first, repr(failure), last) == (0, "ValueError('one')", 2)
        with pytest.raises(ValueError, match="one"):
            await collect(flyte.map.aio(picky, range(3), return_exceptions=False))


async def test_a_consumer_that_leaves_cancels_the_rest() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        results = flyte.map.aio(never_but_first, [1, 0, 0, 0])
        assert await anext(results) == 1
        await results.aclose()
    assert (controller.running, controller.cancelled) == (0, 3)


async def test_the_shortest_iterable_ends_the_map() -> None:
    with inside_a_task(RecordingController()):
        assert await collect(flyte.map.aio(add, [1, 2], itertools.count(10))) == [11, 13]
        assert await collect(flyte.map.aio(add)) == []


async def test_the_group_of_a_map_does_not_outlive_it() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        async for _ in flyte.map.aio(slow_double, [1]):
            await picky(0)
    assert [call.group for call in controller.calls] == ["mapped.slow_double_map", None]


def test_a_synchronous_task_maps_over_all_at_once() -> None:
    controller = DrivingController()
    try:
        with inside_a_task(controller):
            assert list(flyte.map(slow_double, range(5))) == [0, 2, 4, 6, 8]
            assert controller.most_running == 5
            results = flyte.map(slow_double, [100, 0])
            assert next(results) == 200
            results.close()
        assert controller.cancelled == 1
        assert asyncio.all_tasks(controller.loop) == set()
    finally:
        controller.loop.close()


def test_a_controller_without_a_loop_maps_one_after_another() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert list(flyte.map(add, [1, 2], [3, 4])) == [4, 6]
    assert {call.group for call in controller.calls} == {"mapped.add_map"}


async def test_a_blocking_map_on_a_running_loop_is_refused() -> None:
    with inside_a_task(RecordingController()), pytest.raises(SyncTaskCallInAsyncContextError, match=r"flyte\.map\.aio"):
        flyte.map(slow_double, range(3))


def test_outside_of_a_task_a_map_is_plain_calls() -> None:
    assert list(flyte.map(add, [1, 2], [3, 4])) == [4, 6]
    assert list(flyte.map(slow_double, [1, 2])) == [2, 4]
    first, failure = flyte.map(picky, [0, 1])
    assert (first, repr(failure)) == (0, "ValueError('one')")
    with pytest.raises(ValueError, match="one"):
        list(flyte.map(picky, [0, 1], return_exceptions=False))


async def test_outside_of_a_task_an_async_map_is_plain_calls() -> None:
    assert await collect(flyte.map.aio(add, [1, 2], [3, 4])) == [4, 6]
    assert list(flyte.map(slow_double, [1, 2])) == [2, 4]  # as in a notebook
    assert [repr(result) for result in await collect(flyte.map.aio(picky, [0, 1]))] == ["0", "ValueError('one')"]


async def test_a_partial_leaves_one_parameter_to_the_map() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert await collect(flyte.map.aio(partial(add, y=10), [1, 2])) == [11, 12]
        assert await collect(flyte.map.aio(partial(add, 10), [1, 2])) == [11, 12]


def test_a_partial_that_leaves_more_or_less_than_one_parameter_is_refused() -> None:
    with pytest.raises(
        TypeError,
        match=r"exactly one parameter unspecified for mapping\. Found 2 unspecified parameters in mapped\.add",
    ):
        flyte.map(partial(add), [1])
    with pytest.raises(TypeError, match="Found 0 unspecified parameters"):
        flyte.map(partial(add, 1, 2), [1])
    with pytest.raises(TypeError, match="takes one iterable"):
        flyte.map(partial(add, 1), [1], [2])


@pytest.mark.parametrize("concurrency", [-1, 1.5, True])
def test_an_impossible_window_is_refused(concurrency: Any) -> None:
    with pytest.raises(ValueError, match="concurrency must be an int of at least 0"):
        flyte.map(add, [1], [2], concurrency=concurrency)


def test_something_that_is_no_task_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a task"):
        flyte.map(len, [[]])


async def test_arguments_are_taken_when_their_call_begins() -> None:
    taken: list[int] = []

    def arguments() -> Any:
        for number in itertools.count():
            taken.append(number)
            yield number

    with inside_a_task(RecordingController()):
        results = flyte.map.aio(slow_double, arguments(), concurrency=2)
        assert [await anext(results) for _ in range(3)] == [0, 2, 4]
        await results.aclose()
    assert len(taken) < 50


async def test_an_iterator_that_raises_ends_the_map_after_the_calls_before_it() -> None:
    def arguments() -> Any:
        yield 1
        raise LookupError("no more")

    with inside_a_task(RecordingController()):
        results = flyte.map.aio(slow_double, arguments())
        assert await anext(results) == 2
        with pytest.raises(LookupError, match="no more"):
            await anext(results)
