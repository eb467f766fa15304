"""A schema of a few lines may say millions of fields; whoever looks at its form waits for none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flyteplane.console.launch import shapes
from flyteplane.console.launch.schema import shape_of


def doubling(kind: str, *, times: int, levels: int = 8) -> str:
    """Definitions of which each uses the next `times` over."""
    definitions: dict[str, Any] = {f"d{levels}": {"type": "integer"}}
    for level in range(levels):
        uses = [{"$ref": f"#/$defs/d{level + 1}"}] * times
        properties = {f"p{number}": use for number, use in enumerate(uses)}
        definitions[f"d{level}"] = {
            "record": {"type": "object", "properties": properties},
            "union": {"anyOf": uses},
            "tuple": {"type": "array", "prefixItems": uses},
        }[kind]
    return json.dumps({"$ref": "#/$defs/d0", "$defs": definitions})


@pytest.mark.parametrize("kind", ["record", "union", "tuple"])
def test_a_schema_that_multiplies_becomes_free_json(kind: str) -> None:
    assert shape_of(doubling(kind, times=20)) == shapes.Json()
    assert shape_of(doubling(kind, times=2, levels=4)) != shapes.Json()


def test_a_union_of_very_many_becomes_free_json() -> None:
    assert shape_of(json.dumps({"anyOf": [{"type": "boolean"}] * 100_000})) == shapes.Json()
