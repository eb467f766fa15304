"""Dataclasses, nested, with defaults and collections, as inputs and outputs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Dict, List, Literal, NamedTuple, Optional, Tuple, Union

import flyte

env = flyte.TaskEnvironment(name="dataclass_inputs")


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Inner:
    a: int
    b: Optional[str] = None


@dataclass
class Config:
    name: str
    inner: Inner
    items: List[Inner] = field(default_factory=list)
    weights: Dict[str, float] = field(default_factory=dict)
    color: Color = Color.RED


class Split(NamedTuple):
    train: List[int]
    test: List[int]


@env.task
async def transform(config: Config, color: Color = Color.BLUE) -> Config:
    return Config(config.name + "!", config.inner, [*config.items, Inner(9)], {"w": 1.0}, color)


@env.task
async def split(values: List[int], mode: Literal["half", "all"] = "half") -> Tuple[List[int], List[int]]:
    middle = len(values) // 2 if mode == "half" else len(values)
    return values[:middle], values[middle:]


@env.task
async def named(values: List[int]) -> Split:
    return Split(train=values[:1], test=values[1:])


@env.task
async def scalars(
    when: datetime, span: timedelta, either: Union[int, str], maybe: Optional[float] = None
) -> Tuple[datetime, timedelta, str]:
    return when + span, span * 2, f"{either} {maybe}"


@env.task
async def main(config: Config) -> str:
    changed = await transform(config)
    first, second = await split([1, 2, 3, 4])
    result = await named([1, 2])
    assert result.train == [1] and result.test == [2]
    when, span, text = await scalars(datetime(2024, 1, 1, tzinfo=timezone.utc), timedelta(hours=1), "x")
    assert (when.hour, span, text) == (1, timedelta(hours=2), "x None")
    return f"{changed.name} {changed.items[-1].a} {changed.color.name} {first} {second}"


if __name__ == "__main__":
    flyte.init_from_config()
    run = flyte.run(main, Config("c", Inner(1, "x"), [Inner(2)]))
    assert run.outputs()[0] == "c! 9 BLUE [1, 2] [3, 4]", run.outputs()
    outputs = flyte.run(split, values=[1, 2], mode="all").outputs()
    assert (outputs.o0, outputs.o1) == ([1, 2], [])
