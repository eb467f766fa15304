"""The small values of `flyte.models` and their rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import flyte
from flyte.models import (
    ActionID,
    ActionPhase,
    CallCounter,
    CodeBundle,
    NativeInterface,
    PathRewrite,
    is_clustered_worker_env,
)

env = flyte.TaskEnvironment("runtime_values")


@env.task
async def places() -> dict[str, int]:
    context = flyte.ctx()
    return {"rank": context.rank, "world": context.world_size, "nodes": context.nnodes}


def test_a_task_is_alone_unless_a_launcher_of_its_own_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert flyte.run(places).outputs() == ({"rank": 0, "world": 1, "nodes": 1},)
    group = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    run = flyte.with_runcontext(env_vars=group).run(places)
    assert run.outputs() == ({"rank": 5, "world": 8, "nodes": 2},)
    assert not is_clustered_worker_env(group)


def test_an_action_without_a_run_is_the_root_of_its_own() -> None:
    assert ActionID(name="one").run_name == "one"
    assert ActionID(name="a0", run_name="r").new_sub_action("b").run_name == "r"


def test_calls_are_numbered_each_on_its_own_whatever_thread_makes_them() -> None:
    counter = CallCounter()
    with ThreadPoolExecutor(8) as threads:
        numbers = sorted(threads.map(lambda _: counter.next("a"), range(1000)))
    assert numbers == list(range(1, 1001))
    assert counter.next("b") == 1


@pytest.mark.parametrize("phase", [ActionPhase.QUEUED, ActionPhase.SUCCEEDED, ActionPhase.TIMED_OUT])
def test_a_phase_is_known_by_its_number_and_name_in_messages(phase: ActionPhase) -> None:
    assert ActionPhase.from_protobuf(phase.to_protobuf_value()) is phase
    assert phase.to_protobuf_name() == f"PHASE_{phase.name}"


def test_a_phase_that_no_message_has_is_refused() -> None:
    with pytest.raises(ValueError, match="Cannot convert PHASE_UNSPECIFIED to ActionPhase"):
        ActionPhase.from_protobuf(0)
    with pytest.raises(ValueError, match="PAUSED is no phase"):
        ActionPhase.PAUSED.to_protobuf_value()


def test_defaults_may_be_given_apart_from_the_types_of_an_interface() -> None:
    from flyte.types import codec_for

    given = {"x": (int, NativeInterface.has_default), "y": (int, NativeInterface.has_default), "z": (str, "z")}
    interface = NativeInterface.from_types(given, {}, default_inputs={"x": 3, "y": codec_for(int).encode(4, name="y")})
    assert interface.bind((), {}) == {"x": 3, "y": 4, "z": "z"}
    with pytest.raises(ValueError, match="differ in: y"):
        NativeInterface.from_types(given, {}, default_inputs={"x": 3})


def test_a_bundle_without_code_and_a_rewrite_without_a_prefix_are_refused() -> None:
    with pytest.raises(ValueError, match="needs tgz"):
        CodeBundle(computed_version="v")
    with pytest.raises(ValueError, match="Neither prefix"):
        PathRewrite("", "s3://mirror")
    assert PathRewrite.from_str("s3://a->s3://b") == PathRewrite("s3://a", "s3://b")
