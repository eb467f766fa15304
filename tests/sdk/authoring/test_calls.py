"""What a call of a task does, inside and outside of a task."""

import asyncio
from typing import Any

import pytest
from tests.sdk.authoring.recording_controller import RecordingController, inside_a_task

import flyte
from flyte.errors import SyncTaskCallInAsyncContextError, TraceDoesNotAllowNestedTasksError

env = flyte.TaskEnvironment("calls")


@env.task
async def double(x: int) -> int:
    return 2 * x


@env.task
def triple(x: int, y: int = 0) -> int:
    return 3 * x + y


async def test_outside_of_a_task_a_call_is_a_plain_call() -> None:
    assert await double(2) == 4
    assert await double.forward(2) == 4
    assert triple.forward(2) == 6
    assert await double.aio(2) == 4
    assert await triple.aio(2) == 6


def test_outside_of_a_task_a_synchronous_task_needs_no_loop() -> None:
    assert triple(2, y=1) == 7


async def test_inside_of_a_task_an_async_call_is_a_child() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert list(await asyncio.gather(double(1), double(x=2))) == [2, 4]
    assert [(call.task, call.inputs) for call in controller.calls] == [
        ("calls.double", {"x": 1}),
        ("calls.double", {"x": 2}),
    ]


def test_inside_of_a_synchronous_task_a_call_blocks_for_its_child() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert triple(2) == 6
    assert controller.calls[0].inputs == {"x": 2, "y": 0}


async def test_a_blocking_call_on_a_running_loop_is_refused_and_says_what_to_write() -> None:
    with inside_a_task(RecordingController()):
        with pytest.raises(SyncTaskCallInAsyncContextError, match=r"await triple\.aio\(\.\.\.\)"):
            triple(2)
        assert await triple.aio(2) == 6


async def test_an_overridden_task_reaches_the_controller_with_its_settings() -> None:
    class Settings(RecordingController):
        async def submit(self, task: Any, args: Any, kwargs: Any) -> Any:
            return task.retries.count

    with inside_a_task(Settings()):
        assert await double.override(retries=7)(1) == 7


async def test_forward_is_always_a_plain_call() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        assert await double.forward(3) == 6
    assert controller.calls == []


async def test_a_task_cannot_be_called_inside_of_a_trace() -> None:
    @flyte.trace
    async def traced() -> int:
        return await double(1)

    with inside_a_task(RecordingController()), pytest.raises(TraceDoesNotAllowNestedTasksError, match=r"calls\.double"):
        await traced()


def test_without_a_controller_a_task_context_changes_nothing() -> None:
    with inside_a_task(None):
        assert triple(2) == 6


async def test_execute_prepares_and_finishes_around_the_function() -> None:
    class Plugin(flyte.AsyncFunctionTaskTemplate[Any, Any, Any]):
        async def pre(self, *args: Any, **kwargs: Any) -> Any:
            return {"prepared": kwargs["x"]}

        async def post(self, return_vals: Any) -> Any:
            return return_vals + flyte.ctx().data["prepared"]

    async def work(x: int) -> int:
        return x

    with inside_a_task(None):
        assert await Plugin(func=work, name="plugin.work").execute(x=4) == 8
        assert await triple.execute(2) == 6


async def test_a_bare_template_says_what_it_lacks() -> None:
    with pytest.raises(NotImplementedError, match="does not implement execute"):
        await flyte.TaskTemplate(name="bare").execute()
