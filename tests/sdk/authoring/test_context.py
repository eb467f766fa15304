"""The current task: what it is, its group, its custom context."""

import asyncio
import copy
import pickle
from typing import Any, cast

import pytest
from tests.sdk.authoring.recording_controller import RecordingController, inside_a_task

import flyte
from flyte.authoring.context import current
from flyte.authoring.identity import ActionID, GroupData, generate_random_name
from flyte.errors import NotInTaskContextError
from flyte.spec.names import NameKind, is_name

env = flyte.TaskEnvironment("context")


def get_group() -> str | None:
    data = current()
    return data.group if data else None


@env.task
async def child() -> None: ...


def test_outside_of_a_task_the_context_is_falsy_and_refuses_to_answer() -> None:
    assert not flyte.ctx()
    assert repr(flyte.ctx()) == "NullTaskContext()"
    assert current() is None
    with pytest.raises(NotInTaskContextError, match="outside of a task"):
        _ = flyte.ctx().action
    assert not hasattr(flyte.ctx(), "action")
    assert getattr(flyte.ctx(), "action", None) is None
    assert copy.copy(flyte.ctx()) is pickle.loads(pickle.dumps(flyte.ctx())) is flyte.ctx()


def test_inside_of_a_task_the_context_tells_which_one() -> None:
    with inside_a_task(None, attempt_number=2, mode="local"):
        assert flyte.ctx()
        assert (flyte.ctx().action.name, flyte.ctx().attempt_number) == ("a0", 2)
        assert not flyte.ctx().is_in_cluster()
        assert flyte.ctx().replace(version="v").version == "v"
    assert not flyte.ctx()


async def test_groups_name_the_children_made_inside_and_nest() -> None:
    controller = RecordingController()
    with inside_a_task(controller):
        await child()
        with flyte.group("outer"):
            await child()
            with flyte.group("inner"):
                await asyncio.gather(child(), child())
            await child()
            assert flyte.ctx().group_data == GroupData("outer")
    assert [call.group for call in controller.calls] == [None, "outer", "inner", "inner", "outer"]


def test_a_group_outside_of_a_task_does_nothing_but_check_its_name() -> None:
    with flyte.group("any"):
        assert current() is None
    with pytest.raises(ValueError, match="group"), flyte.group(""):
        pass


async def test_concurrent_tasks_have_contexts_of_their_own() -> None:
    async def named(name: Any) -> Any:
        with flyte.group(name):
            await asyncio.sleep(0)
            return get_group()

    with inside_a_task(RecordingController()):
        assert list(await asyncio.gather(named("a"), named("b"))) == ["a", "b"]


async def test_custom_context_adds_up_and_reaches_children() -> None:
    controller = RecordingController()
    with inside_a_task(controller, custom_context={"a": "1"}), flyte.custom_context(b="2"):
        with flyte.custom_context(a="3"):
            assert flyte.get_custom_context() == {"a": "3", "b": "2"}
            await child()
        assert flyte.ctx().custom_context == {"a": "1", "b": "2"}
    assert controller.calls[0].custom_context == {"a": "3", "b": "2"}


def test_custom_context_outside_of_a_task_is_for_the_runs_started_there() -> None:
    assert flyte.get_custom_context() == {}
    with flyte.custom_context(a="1"), flyte.custom_context(b="2"):
        assert flyte.get_custom_context() == {"a": "1", "b": "2"}
    assert flyte.get_custom_context() == {}
    with (
        pytest.raises(TypeError, match="custom context 'a' to be of type str"),
        flyte.custom_context(a=cast(str, 1)),
    ):
        pass


def test_random_names_are_names_of_runs() -> None:
    names = {generate_random_name() for _ in range(100)}
    assert len(names) == 100
    assert all(is_name(name, kind=NameKind.RUN) for name in names)
    action = ActionID.create_random()
    assert action.new_sub_action("x").run_name == action.run_name
