"""Inputs for a deployed task of a caller who has classes of its own: they arrive as the task's."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel
from tests.sdk.client.fake_platform import FakePlatform

import flyte
from flyte.authoring.interface import NativeInterface
from flyte.client.deployed_inputs import encode_for_interface
from flyte.remote.trigger import put_trigger
from flyte.syncify import syncify
from flyte.types.interface import interface_codec
from flyteapi.task.v1.value_pb2 import NamedValues


class Level(enum.Enum):
    LOW = "low"


@dataclass
class Step:
    number: int
    level: Level = Level.LOW
    notes: list[str] = field(default_factory=list)


class Plan(BaseModel):
    steps: int


class OtherLevel(enum.Enum):
    LOW = "low"


@dataclass
class OtherStep:
    number: int
    level: OtherLevel = OtherLevel.LOW
    notes: list[str] = field(default_factory=list)


class OtherPlan(BaseModel):
    steps: int


def work(
    steps: list[Step],
    plans: dict[str, list[Plan]],
    levels: list[Level],
    last: Step | None = None,
    sizes: dict[int, tuple[int, str]] | None = None,
) -> None: ...


THEIRS: dict[str, Any] = {
    "steps": [OtherStep(1, notes=["a"]), OtherStep(2)],
    "plans": {"a": [OtherPlan(steps=3)], "b": []},
    "levels": [OtherLevel.LOW],
    "last": OtherStep(3),
    "sizes": {1: (2, "x")},
}
OURS = {
    "steps": [Step(1, notes=["a"]), Step(2)],
    "plans": {"a": [Plan(steps=3)], "b": []},
    "levels": [Level.LOW],
    "last": Step(3),
    "sizes": {1: (2, "x")},
}


def test_records_and_enums_arrive_from_wherever_they_are_nested() -> None:
    codec = interface_codec(NativeInterface.from_callable(work))
    values = encode_for_interface(codec.to_proto(), (), THEIRS, task_name="work")
    assert codec.decode_inputs(values.SerializeToString()) == OURS
    assert b"pickle" not in str(values).encode()


@pytest.mark.parametrize("given", [THEIRS, OURS])
def test_so_do_the_inputs_of_a_trigger_whether_its_task_is_known_here_or_not(
    platform: FakePlatform, given: dict[str, Any]
) -> None:
    types = NativeInterface.from_callable(work).get_input_types() if given is OURS else {}
    nested = {name: value for name, value in given.items() if name != "sizes"}
    trigger = flyte.Trigger("nightly", flyte.Cron("0 0 * * *"), inputs=nested)
    syncify(put_trigger)(trigger, task_name="shop.work", types=types)
    kept = platform.script.triggers["nightly"].inputs.inline
    assert b"pickle" not in str(NamedValues.FromString(kept)).encode()
    codec = interface_codec(NativeInterface.from_callable(work))
    assert codec.decode_inputs(kept) == {**OURS, "sizes": None}
