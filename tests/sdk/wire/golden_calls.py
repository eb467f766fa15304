"""Calls whose keys are pinned. Run as a program it prints them as JSON, for other processes and other interpreters."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple, TypedDict, Union

from flyte.io import DataFrame, Dir, File
from flyte.spec.digests import cache_key, inputs_digest, interface_digest
from flyte.spec.syntax_trees import canonical_tree
from flyte.types.codecs import codec_for
from flyteapi.task.v1.interface_pb2 import Interface
from flyteapi.task.v1.value_pb2 import NamedValues

TOKYO = timezone(timedelta(hours=9))

SOURCE = '''
@env.task(cache="auto")
async def work(x: int, *rest, y: float = -0.0, **more) -> "list[int]":
    """Text
       in lines."""
    text = f"a{x!r:>{y}} b {{}} {x=}" "tail" f'{rest}{1}{x:{y}}'
    match x:
        case {"a": [1, *_], **others} if others:
            return None
    try:
        return {**more, 1: ..., b"x": 1e400, u"u": 3j, 10**30: 123456789012345678901234567890}
    except* ValueError as error:
        raise
    async with x as b, rest: [i async for i in text if i]
'''


@dataclasses.dataclass
class Point:
    """A record."""

    y: float
    x: int = 7


class Colour(enum.Enum):
    """A choice."""

    RED = "r"
    BLUE = "b"


class Pair(NamedTuple):
    """A record with places."""

    right: str
    left: int


class Options(TypedDict, total=False):
    """A dict with known keys."""

    zoom: int
    angle: float


VALUES: tuple[tuple[str, Any, Any], ...] = (
    ("none", type(None), None),
    ("bool", bool, True),
    ("int", int, -5),
    ("int beyond 64 bits", int, 10**40),
    ("int of 20,000 bits", int, 1 << 20_000),
    ("float", float, 0.1),
    ("float zero", float, -0.0),
    ("float nan", float, float("nan")),
    ("float infinity", float, float("-inf")),
    ("float denormal", float, 5e-324),
    ("str", str, "grüße\0\U0001f600"),
    ("bytes", bytes, b"\0\xff"),
    ("datetime naive", datetime, datetime(2026, 3, 29, 2, 30, 0, 1)),
    ("datetime in UTC", datetime, datetime(2026, 1, 1, tzinfo=UTC)),
    ("datetime in a zone", datetime, datetime(2026, 1, 1, 9, tzinfo=TOKYO)),
    ("date", date, date(2026, 1, 1)),
    ("time", time, time(1, 2, 3)),
    ("timedelta", timedelta, timedelta(days=-1, microseconds=1)),
    ("list of ints", list[int], [1, 2, 3]),
    ("list of ints, empty", list[int], []),
    ("list of floats", list[float], [1.5, -0.0, float("nan")]),
    ("list of anything", list[Any], [1, "a", None, {"b": 1, "a": 2}]),
    ("dict", dict[str, int], {"b": 1, "a": 2}),
    ("dict of dicts", dict[int, dict[str, float]], {2: {"y": 1.0, "x": 0.0}, 1: {}}),
    ("set of strs", set[str], {"a", "b", "c", "dd", "eee"}),
    ("set of floats", set[float], {2.0, 1.0, float("nan"), -3.0}),
    ("set of anything", set, {1, "one", 2.5, None}),
    ("set without a type", Any, {"a", "b", "c", 1, 2.5}),
    ("sets in a list without a type", Any, [{"a", "b", "c"}, frozenset({"x", "y", "z"})]),
    ("frozenset of pairs", frozenset[tuple[int, str]], frozenset({(2, "b"), (1, "a")})),
    ("tuple of twelve", tuple[(int,) * 12], tuple(range(12))),  # type: ignore[misc]
    ("dataclass", Point, Point(y=-0.0)),
    ("dataclass as a dict", Point, {"y": 0.0, "x": 7}),
    ("named tuple", Pair, Pair(right="r", left=1)),
    ("typed dict", Options, {"zoom": 2, "angle": 0.5}),
    ("enum", Colour, Colour.BLUE),
    ("union", Union[int, str], "1"),  # noqa: UP007 - both spellings are pinned
    ("union in the newer spelling", int | str, "1"),
    ("optional", int | None, None),
    ("file with a hash", File, File(path="s3://a/1", hash="abc", name="n")),
    ("file without a hash", File, File(path="s3://a/1")),
    ("dir with a hash", Dir, Dir(path="s3://a/1", hash="abc")),
    ("frame with a hash", DataFrame, DataFrame(uri="s3://a/1", format="parquet", hash="abc")),
)


def keys() -> Iterator[tuple[str, str]]:
    """Each call by name with its key in hex."""
    for name, annotation, value in VALUES:
        codec = codec_for(annotation)
        interface, inputs = Interface(), NamedValues()
        interface.inputs.add(name="x", type_name=codec.type_name, json_schema=codec.json_schema_text())
        inputs.values.add(name="x").value.CopyFrom(codec.encode(value, name="x"))
        yield name, cache_key("env.work", interface_digest(interface), "v1", inputs_digest(inputs)).hex()
    yield "source of a function", canonical_tree(SOURCE)


if __name__ == "__main__":
    json.dump(dict(keys()), sys.stdout, indent=1)
