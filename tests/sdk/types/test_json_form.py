"""Values in their JSON form: shown to people, written by forms, described by the schema."""

from __future__ import annotations

# ruff: noqa: UP006, UP035 -- what a guess of a type is made of
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sdk.types.sample_types import Colour, Inner, Level, Opaque, Outer, Pair, Row, Tree

from flyte.authoring.interface import NO_DEFAULT, NativeInterface
from flyte.io import DataFrame, Dir, File
from flyte.spec.durations import iso_duration, parse_duration, short_duration
from flyte.types import guess_interface, literal_string_repr
from flyte.types.codecs import codec_for
from flyte.types.guess import guess_annotation
from flyte.types.interface import interface_codec
from flyte.types.json_form import NoJsonForm, to_json
from flyte.types.natural import write_natural
from flyteapi.task.v1.value_pb2 import NamedValues, Value

WHOLE = Outer(1, 2.0, Inner(1, "q"), [Inner(2)], {"k": 1}, label="l")

CASES: list[tuple[Any, Any, Any]] = [
    (int, 3, 3),
    (int, 2**70, 2**70),
    (float, 1.5, 1.5),
    (bytes, b"hi", "aGk="),
    (datetime, datetime(2024, 1, 1, 5), "2024-01-01T05:00:00"),
    (date, date(2024, 1, 2), "2024-01-02"),
    (time, time(1, 2, tzinfo=UTC), "01:02:00+00:00"),
    (timedelta, timedelta(days=1, hours=2, microseconds=500), "P1DT7200.0005S"),
    (Colour, Colour.RED, "RED"),
    (Inner | None, Inner(1), {"a": 1, "b": None}),
    (tuple[int, str], (1, "a"), [1, "a"]),
    (tuple[int, int], (1, 2), [1, 2]),
    (set[int], {1, 2}, [1, 2]),
    (dict[int, float], {1: 2.0}, {"1": 2.0}),
    (Pair, Pair(1, "b"), {"a": 1, "b": "b"}),
    (Row, {"a": 1}, {"a": 1}),
    (Path, Path("/a/b"), "/a/b"),
    (Decimal, Decimal("1.50"), "1.50"),
    (Literal["a", 1], 1, 1),
    (File, File(path="s3://b/x", hash="h"), {"path": "s3://b/x", "hash": "h"}),
    (Dir, Dir(path="s3://b/x"), {"path": "s3://b/x"}),
    (
        DataFrame,
        DataFrame(uri="s3://b/x", format="parquet"),
        {"uri": "s3://b/x", "format": "parquet"},
    ),
    (
        Tree,
        Tree(1, [Tree(2)]),
        {"value": 1, "children": [{"value": 2, "children": [], "parent": None}], "parent": None},
    ),
]


def natural(document: Any) -> Value:
    """Returns what somebody sends who knows JSON and not the classes of the task."""
    message = Value()
    write_natural(message, document)
    return message


@pytest.mark.parametrize(("annotation", "value", "document"), CASES, ids=[str(case[0]) for case in CASES])
def test_a_value_is_shown_as_json_and_read_back_from_it(annotation: Any, value: Any, document: Any) -> None:
    codec = codec_for(annotation)
    assert to_json(codec.encode(value, name="x")) == document
    assert codec.decode(natural(json.loads(json.dumps(document)))) == value


def test_a_record_is_read_back_from_its_json_form() -> None:
    document = to_json(codec_for(Outer).encode(WHOLE, name="x"))
    assert codec_for(Outer).decode(natural(document)) == WHOLE


@pytest.mark.parametrize("value", [Opaque(1), {(1, 2): 3}, [b"x", Opaque(1)]])
def test_what_json_cannot_hold_is_refused_and_described(value: Any) -> None:
    message = codec_for(Any).encode(value, name="x")
    with pytest.raises(NoJsonForm):
        to_json(message)
    assert str(literal_string_repr(message)["value"]).startswith("<")


def test_a_text_that_is_no_value_of_the_type_is_refused() -> None:
    for annotation in (datetime, timedelta, bytes, Colour):
        with pytest.raises(TypeError):
            codec_for(annotation).decode(Value(string="?"))


def test_a_text_stays_a_text_where_one_is_expected() -> None:
    assert codec_for(datetime | str).decode(Value(string="2024-01-01")) == "2024-01-01"
    assert codec_for(File | str).decode(Value(string="a.txt")) == "a.txt"


@given(st.timedeltas())
def test_durations_are_read_as_they_are_written(duration: timedelta) -> None:
    assert parse_duration(iso_duration(duration)) == duration
    assert parse_duration(short_duration(duration)) == duration


def test_literals_are_shown_by_name() -> None:
    values = NamedValues()
    values.values.add(name="x").value.int = 3
    assert literal_string_repr(values) == literal_string_repr(values.values[0]) == {"x": 3}
    assert literal_string_repr({"y": Value(float=float("nan"))}) == {"y": "nan"}


@pytest.mark.parametrize(
    "annotation",
    [
        *(int, float, str, bool, bytes, datetime, date, time, timedelta, Path, Decimal, Any, File, Dir, DataFrame),
        *(List[int], set[str], Dict[str, List[float]], tuple[int, str], int | None, Literal["a", 1]),
    ],
)
def test_an_annotation_is_guessed_from_its_schema(annotation: Any) -> None:
    assert guess_annotation(codec_for(annotation).json_schema_text()) == annotation


def test_records_and_enums_are_guessed_as_what_reads_and_writes_them() -> None:
    assert guess_annotation(codec_for(Colour).json_schema) == Literal["RED", "BLUE"]
    codec, guessed = codec_for(Outer), codec_for(guess_annotation(codec_for(Outer).json_schema))
    found = guessed.decode(codec.encode(WHOLE, name="x"))
    assert (found.x, found.inner.a) == (1, 1)
    assert (found["x"], found["inner"], found["when"]) == (1, {"a": 1, "b": "q"}, datetime(2024, 1, 1, tzinfo=UTC))
    assert codec.decode(guessed.encode(found, name="x")) == WHOLE
    assert guess_annotation(codec_for(Tree).json_schema).__annotations__.keys() == {"value", "children", "parent"}


@dataclass
class Config:
    rate: float = 0.5
    names: list[str] = field(default_factory=list)


class Size(NamedTuple):
    wide: int
    high: int = 2


def launch(
    dataset: Inner,
    other: Inner | None = None,
    level: Level = Level.LOW,
    config: Config = Config(0.25, ["a"]),  # noqa: B008 - as programs write it
    size: Size = Size(1),  # noqa: B008
    pause: timedelta = timedelta(minutes=1),
    source: File[Any] = File(path="/a"),  # noqa: B008
    opaque: Opaque = Opaque(1),  # noqa: B008
    retries_left: int = 3,
) -> tuple[int, Inner]:
    """Launch.

    Args:
        dataset: What to learn from.
    """
    raise NotImplementedError


def interface_of(function: Callable[..., Any]) -> NativeInterface:
    return NativeInterface.from_callable(function)


def test_the_inputs_of_a_task_are_one_schema_for_a_form() -> None:
    schema = interface_of(launch).json_schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == ("object", ["dataset"], False)
    assert set(schema["$defs"]) == {"Inner", "Level", "Config", "Size"}
    properties = schema["properties"]
    assert properties["dataset"] == {
        "title": "Dataset",
        "description": "What to learn from.",
        "$ref": "#/$defs/Inner",
    }
    assert properties["retries_left"] == {"title": "Retries left", "type": "integer", "default": 3}
    assert (properties["level"]["default"], schema["$defs"]["Level"]["enum"]) == ("LOW", ["LOW"])
    assert properties["config"]["default"] == {"rate": 0.25, "names": ["a"]}
    assert properties["size"]["default"] == {"wide": 1, "high": 2}
    assert (properties["pause"]["format"], properties["pause"]["default"]) == ("duration", "PT60S")
    assert (properties["source"]["format"], "default" in properties["source"]) == ("file", False)
    assert (properties["opaque"]["format"], "default" in properties["opaque"]) == ("pickle", False)
    assert properties["other"]["default"] is None
    json.dumps(schema)
    outputs = interface_codec(interface_of(launch)).outputs_schema()
    assert list(outputs["properties"]) == outputs["required"] == ["o0", "o1"]


def test_an_interface_is_guessed_from_what_is_stored_of_it() -> None:
    original = NativeInterface(
        {"x": (int, NO_DEFAULT), "mode": (Literal["a", "b"], "a"), "when": (datetime | None, None)}, {"o0": list[str]}
    )
    guessed = guess_interface(interface_codec(original).to_proto())
    assert guessed.inputs["x"] == (int, NO_DEFAULT)
    assert guessed.inputs["mode"] == (Literal["a", "b"], "a")
    assert guessed.inputs["when"][1] is None
    assert guessed.outputs == {"o0": List[str]}
