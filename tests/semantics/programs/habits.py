"""What people write that no manual shows: wrapped functions, templates of their own, codes of their own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flyte
import flyte.errors
from flyte.extend import TaskTemplate
from flyte.models import NativeInterface

env = flyte.TaskEnvironment(name="habits")


def doubled(function: Callable[..., int]) -> Callable[..., int]:
    """A decorator of a user's own, between the function and the task."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> int:
        return 2 * function(*args, **kwargs)

    return wrapper


@env.task
@doubled
def wrapped(x: int, y: int = 1) -> int:
    """Takes what the wrapped function takes."""
    return x + y


class Query(TaskTemplate[..., Any, Any]):
    """A kind of task without a function."""

    def __init__(self, name: str, text: str) -> None:
        interface = NativeInterface.from_types({"limit": (int, 3)}, {"o0": str})
        super().__init__(name=name, interface=interface, task_type="query")
        self.text = text

    async def execute(self, *args: Any, **kwargs: Any) -> str:
        """Fills in the input."""
        return self.text.format(**kwargs)


query = Query("first-rows", "select {limit}")
queries = flyte.TaskEnvironment.from_task("queries", query)
env.add_dependency(queries)


@env.task
async def out_of_memory(code: str) -> None:
    """Fails as code does that watches its own memory."""
    raise flyte.errors.OOMError(code, "no room")


@env.task
async def main() -> list[str]:
    """Does all of it."""
    said = [str(await wrapped.aio(2)), str(await wrapped.aio(x=2, y=2)), await query(limit=5), await query()]
    for code in ("OOM", "OOMKilled", "Mine"):
        try:
            await out_of_memory(code)
        except flyte.errors.RuntimeUserError as error:
            said.append(f"{type(error).__name__} {error.code} {error.message}")
    return said


@dataclass
class Part:
    """Something inside of an output."""

    size: int


@dataclass
class Made:
    """An output whose class the reader may not have."""

    name: str
    parts: list[Part]


@env.task
async def make() -> Made:
    """Returns a record that holds records."""
    return Made("it", [Part(1), Part(2)])
