"""The JSON Schema and the text of annotations: for forms and people, and part of a task's identity."""

from __future__ import annotations

# ruff: noqa: UP045 -- both spellings of unions are what is tested.
from collections.abc import Callable
from typing import Any, Literal, Optional

import pytest
from tests.sdk.types.sample_types import Box, Colour, Inner, Outer, Row, Tree

from flyte.io import File
from flyte.types.codecs import codec_for


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"type": "integer"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Any, {}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        ),
        (
            Row,
            {
                "$ref": "#/$defs/Row",
                "$defs": {
                    "Row": {
                        "type": "object",
                        "title": "Row",
                        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                        "required": ["a"],
                    }
                },
            },
        ),
    ],
)
def test_the_schema_of_an_annotation(annotation: Any, schema: dict[str, Any]) -> None:
    assert codec_for(annotation).json_schema == schema


def test_a_record_describes_its_parts_once_and_shows_defaults() -> None:
    schema = codec_for(Outer).json_schema
    assert set(schema["$defs"]) == {"Outer", "Inner"}
    outer = schema["$defs"]["Outer"]
    assert outer["required"] == ["x"]
    assert outer["properties"]["y"] == {"type": "number", "default": 2.0}
    assert outer["properties"]["rows"]["items"] == {"$ref": "#/$defs/Inner"}


def test_a_class_that_contains_itself_has_a_finite_schema() -> None:
    children = codec_for(Tree).json_schema["$defs"]["Tree"]["properties"]["children"]
    assert children == {"type": "array", "items": {"$ref": "#/$defs/Tree"}}


def test_two_classes_of_one_name_have_two_definitions() -> None:
    def another() -> type:
        from dataclasses import make_dataclass

        return make_dataclass("Inner", [("z", int)])

    definitions = codec_for(tuple[Inner, another()]).json_schema["$defs"]  # type: ignore[misc]
    assert set(definitions) == {"Inner", "Inner_2"}


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (None, "None"),
        (list[dict[str, Inner]], "list[dict[str, Inner]]"),
        (Optional[Colour], "Colour | None"),
        (Box[int], "Box[int]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[()], "tuple[()]"),
        (Literal["a", Colour.RED], "Literal['a', Colour.RED]"),
        (File["csv"], "File[csv]"),  # type: ignore[name-defined]
        (Callable, "Callable"),
        (Callable[[int], str], "Callable[[int], str]"),
        (Any, "Any"),
    ],
)
def test_the_text_of_an_annotation(annotation: Any, text: str) -> None:
    assert codec_for(annotation).type_name == text
