"""Traced functions: run once, remembered over attempts."""

from typing import Any

import pytest
from tests.sdk.authoring.recording_controller import RecordingController, TracingController, inside_a_task

import flyte


class Counter:
    """Traced functions of every kind that count how often they run."""

    def __init__(self) -> None:
        self.runs = 0

    def functions(self) -> Any:
        @flyte.trace
        async def coroutine(x: int) -> int:
            self.runs += 1
            return x + 1

        @flyte.trace
        def plain(x: int) -> int:
            self.runs += 1
            return x + 1

        @flyte.trace
        async def async_items(x: int) -> Any:
            self.runs += 1
            for item in range(x):
                yield item

        @flyte.trace
        def items(x: int) -> Any:
            self.runs += 1
            yield from range(x)

        return coroutine, plain, async_items, items


async def use(counter: Any) -> Any:
    coroutine, plain, async_items, items = counter.functions()
    return await coroutine(1), plain(2), [item async for item in async_items(3)], list(items(2))


EXPECTED = (2, 3, [0, 1, 2], [0, 1])


async def test_outside_of_a_task_and_without_a_recorder_functions_just_run() -> None:
    counter = Counter()
    assert await use(counter) == EXPECTED
    with inside_a_task(RecordingController()):
        assert await use(counter) == EXPECTED
    assert counter.runs == 8


async def test_a_second_attempt_gets_the_outcomes_of_the_first_without_running() -> None:
    counter, first = Counter(), TracingController()
    with inside_a_task(first):
        assert await use(counter) == EXPECTED
    with inside_a_task(TracingController(outcomes=first.outcomes)):
        assert await use(counter) == EXPECTED
    assert counter.runs == 4


async def test_equal_calls_are_told_apart_by_their_count() -> None:
    values = iter([1, 2])

    @flyte.trace
    def take() -> int:
        return next(values)

    first = TracingController()
    with inside_a_task(first):
        assert (take(), take()) == (1, 2)
    with inside_a_task(TracingController(outcomes=first.outcomes)):
        assert (take(), take()) == (1, 2)


async def test_failures_are_not_remembered() -> None:
    runs = []

    @flyte.trace
    async def fail() -> None:
        runs.append(1)
        raise ValueError("no")

    controller = TracingController()
    for _ in range(2):
        with inside_a_task(controller), pytest.raises(ValueError, match="no"):
            await fail()
    assert (len(runs), controller.outcomes) == (2, {})


async def test_a_generator_that_is_left_early_is_not_remembered() -> None:
    controller = TracingController()
    _, _, async_items, items = Counter().functions()
    with inside_a_task(controller):
        next(items(2))
        generator = async_items(2)
        await anext(generator)
        await generator.aclose()
    assert controller.outcomes == {}


async def test_between_the_items_of_a_traced_generator_tasks_can_be_called() -> None:
    env = flyte.TaskEnvironment("between")

    @env.task
    async def task(x: int) -> int:
        return x

    _, _, async_items, items = Counter().functions()
    with inside_a_task(TracingController()):
        assert [await task(item) async for item in async_items(2)] == [0, 1]
        assert [await task(item) for item in items(2)] == [0, 1]


async def test_a_trace_inside_of_a_trace_is_part_of_it() -> None:
    @flyte.trace
    def inner() -> int:
        return 1

    @flyte.trace
    def outer() -> int:
        return inner()

    controller = TracingController()
    with inside_a_task(controller):
        assert outer() == 1
    assert len(controller.outcomes) == 1


def test_a_traced_function_keeps_its_name_and_documentation() -> None:
    @flyte.trace
    def named() -> None:
        """Say it."""

    assert (named.__name__, named.__doc__) == ("named", "Say it.")


def test_what_cannot_be_called_cannot_be_traced() -> None:
    with pytest.raises(TypeError, match=r"flyte\.trace takes a function, got 3"):
        flyte.trace(3)  # type: ignore[arg-type]  # what is refused
