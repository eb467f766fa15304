"""Every form of `cache=`, at every level. Results are random, so that a second computation shows."""

from __future__ import annotations

import asyncio
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import flyte
from flyte.io import DataFrame, Dir, File

small = flyte.Resources(cpu="200m")
kept = flyte.TaskEnvironment("kept", resources=small, cache="enabled")
plain = flyte.TaskEnvironment("not_kept", resources=small)


class Fixed:
    """A policy whose version is what it was made with."""

    def __init__(self, version: str) -> None:
        self.version = version

    def get_version(self, salt: str, params: Any) -> str:
        """The version, and the salt."""
        return f"{self.version}{salt}{params.func.__name__}{params.image is params.container_image}"


def anything() -> str:
    """A text that nobody else gets."""
    return os.urandom(8).hex()


@kept.task
async def by_environment(x: int) -> str:
    """Cached by its environment."""
    return anything()


@kept.task(cache="disable")
async def not_by_decorator(x: int) -> str:
    """Not cached by its decorator."""
    return anything()


@plain.task
async def by_override(x: int) -> str:
    """Cached by calls only."""
    return anything()


@plain.task(cache=flyte.Cache("override", version_override="v1"))
async def by_version(x: int) -> str:
    """Cached under a version that was given."""
    return anything()


@plain.task(cache=flyte.Cache("auto", ignored_inputs=("note",)))
async def one_of_many(x: int, note: str, factor: int) -> str:
    """Cached whatever the note."""
    return anything()


@plain.task(cache="auto")
async def with_default(x: int, factor: int = 2) -> str:
    """Cached, whether its default is given or left out."""
    return anything()


@plain.task(cache="auto")
async def of_file(data: File) -> str:
    """Cached by the content of a file."""
    return anything()


@plain.task(cache="auto")
async def of_folder(data: Dir) -> str:
    """Cached by the content of a folder."""
    return anything()


@plain.task(cache="auto")
async def of_frame(data: DataFrame) -> str:
    """Cached by the content of a table."""
    return anything()


@plain.task(cache="auto")
async def a_file(x: int) -> File:
    """A file with something in it."""
    path = Path(tempfile.mkdtemp()) / "x.txt"
    path.write_text(anything())
    return await File.from_local(path)


@plain.task(cache="auto")
async def of_records(x: dict[str, float], y: set[str]) -> str:
    """Cached by values whose order does not count."""
    return anything()


@plain.task
async def levels(seed: int) -> dict[str, bool]:
    """What is equal of pairs of calls."""
    auto, off = by_override.override(cache="auto"), by_environment.override(cache="off")
    pairs = {
        "environment": (by_environment(seed), by_environment(seed)),
        "decorator over environment": (not_by_decorator(seed), not_by_decorator(seed)),
        "override over environment": (off(seed), off(seed)),
        "override over decorator": [not_by_decorator.override(cache="auto")(seed) for _ in range(2)],
        "override": (auto(seed), auto(seed)),
        "without any": (by_override(seed), by_override(seed)),
        "given version": (by_version(seed), by_version(seed)),
        "given version and another": (by_version(seed), _by_version("v2")(seed)),
        "other inputs": (by_environment(seed), by_environment(seed + 1)),
        "salts": [_kept(salt=salt)(seed) for salt in "ab"],
        "one salt": [_kept(salt="c")(seed) for _ in range(2)],
        "policies": [_kept(policies=Fixed(version))(seed) for version in "de"],
        "one policy": [_kept(policies=[Fixed("f")])(seed) for _ in range(2)],
        "no age": [_kept(salt="g", max_age=0)(seed) for _ in range(2)],
        "an hour": [_kept(salt="h", max_age=3600)(seed) for _ in range(2)],
        "default given and left out": [with_default(seed), with_default(x=seed, factor=2)],
        "order of dicts and sets": [
            of_records({"a": 0.0, "b": float(seed)}, {"x", "y", "z"}),
            of_records({"b": float(seed), "a": -0.0}, {"z", "y", "x"}),
        ],
    }
    return {name: (await first) == (await second) for name, (first, second) in pairs.items()}


def _by_version(version: str) -> Any:
    return by_version.override(cache=flyte.Cache("override", version_override=version))


def _kept(**settings: Any) -> Any:
    return by_override.override(cache=flyte.Cache("auto", **settings))


@plain.task
async def elements(seed: int) -> list[list[str]]:
    """Results of three maps: twice the same, then with another bound argument; then one with a note that is ignored."""
    numbers = [seed, seed + 1, seed + 2]
    bound = [partial(one_of_many, note=note, factor=factor) for note, factor in (("a", 1), ("b", 1), ("a", 2))]
    return [[str(result) async for result in flyte.map.aio(one, numbers)] for one in bound]


@plain.task
async def contents(seed: int) -> dict[str, bool]:
    """Whether equal content at different addresses is the same input."""
    frame = _frame_of(seed)
    pairs = {
        "file": [of_file(await File.from_local(_written(f"{seed}"))) for _ in range(2)],
        "other file": [of_file(await File.from_local(_written(f"{seed}{end}"))) for end in "ab"],
        "folder": [of_folder(await Dir.from_local(_written(f"{seed}").parent)) for _ in range(2)],
        "other folder": [of_folder(await Dir.from_local(_written(f"{seed}{end}").parent)) for end in "ab"],
        "frame": [of_frame(await DataFrame.from_local(frame)) for _ in range(2)],
        "other frame": [of_frame(await DataFrame.from_local(_frame_of(seed + end))) for end in (1, 2)],
    }
    return {name: (await first) == (await second) for name, (first, second) in pairs.items()}


def _written(text: str) -> Path:
    path = Path(tempfile.mkdtemp()) / "data.txt"
    path.write_text(text)
    return path


def _frame_of(seed: int) -> Any:
    import pyarrow

    return pyarrow.table({"seed": [seed, seed + 1]})


@plain.task
async def lost_objects(seed: int) -> list[bool]:
    """Whether a result is computed again once the data that it refers to is gone, and only then."""
    first, again = await a_file(seed), await a_file(seed)
    there = await again.exists()
    os.unlink(first.path.removeprefix("file://"))
    new = await a_file(seed)
    return [first.path == again.path, there, new.path != first.path, await new.exists()]


@kept.task(cache=flyte.Cache("auto", serialize=True))
async def alone(x: int) -> str:
    """Cached; of equal calls at once one computes."""
    await asyncio.sleep(0.05)
    return anything()


@plain.task
async def many_alone(seed: int) -> int:
    """How many different results many equal calls at once had."""
    return len(set(await asyncio.gather(*(alone(seed) for _ in range(20)))))


@plain.task
async def of_this_run(seed: int) -> str:
    """A cached child, for runs that bypass the cache."""
    return await by_environment(seed)
