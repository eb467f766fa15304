"""Properties over generated annotations: round trips, and digests that do not see what does not matter."""

from __future__ import annotations

# ruff: noqa: UP007 -- both spellings of unions are what is tested.
import json
import math
import random
from datetime import date, datetime, time, timedelta
from typing import Any, Optional, Union, cast

from hypothesis import given
from hypothesis import strategies as st
from tests.sdk.types.sample_types import Colour, Inner, Pair

from flyte.spec.digests import canonical_bytes, inputs_digest
from flyte.types.codecs import codec_for
from flyte.types.guess import guess_annotation
from flyte.types.json_form import NoJsonForm, to_json
from flyteapi.task.v1.value_pb2 import NamedValues, Value

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(),
    float: st.floats(),
    str: st.text(),
    bool: st.booleans(),
    bytes: st.binary(),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.none() | st.timezones()),
    date: st.dates(),
    time: st.times(),
    timedelta: st.timedeltas(),
    Colour: st.sampled_from(Colour),
    Inner: st.builds(Inner, st.integers(), st.none() | st.text()),
    Pair: st.builds(Pair, st.integers(), st.text()),
}
# As values, not as types: what stands in their brackets is drawn.
LIST, DICT, SET, TUPLE, OPTIONAL = cast(tuple[Any, ...], (list, dict, set, tuple, Optional))
HASHABLE = (int, str, bool, bytes, date, Colour)


@st.composite
def annotated_values(draw: st.DrawFn, depth: int = 3) -> tuple[Any, st.SearchStrategy[Any]]:
    """Draws an annotation with a strategy for its values."""
    nested = ("list", "dict", "set", "tuple", "many", "optional", "union", "any")
    shape = draw(st.sampled_from(("scalar", *nested))) if depth else "scalar"
    if shape == "scalar":
        scalar: tuple[Any, st.SearchStrategy[Any]] = draw(st.sampled_from(sorted(SCALARS.items(), key=str)))
        return scalar
    if shape == "any":
        return Any, naturals()
    if shape == "union":
        return Union[int, str, list[float]], st.integers() | st.text() | st.lists(st.floats())
    key = draw(st.sampled_from(HASHABLE))
    if shape == "set":
        return SET[key], st.sets(SCALARS[key], max_size=4)
    inner, values = draw(annotated_values(depth=depth - 1))
    if shape == "list":
        return LIST[inner], st.lists(values, max_size=4)
    if shape == "dict":
        return DICT[key, inner], st.dictionaries(SCALARS[key], values, max_size=4)
    if shape == "tuple":
        return TUPLE[int, inner], st.tuples(st.integers(), values)
    if shape == "many":
        return TUPLE[inner, ...], st.lists(values, max_size=4).map(tuple)
    return OPTIONAL[inner], st.none() | values


def naturals() -> st.SearchStrategy[Any]:
    """Values that have a portable form."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
    )


def same(left: Any, right: Any) -> bool:
    """Tells whether two values are equal, with the same types and NaN equal to itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def shuffled(value: Any, seed: int) -> Any:
    """Returns an equal value whose dicts were filled in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(element, seed)) for key, element in value.items()]
        random.Random(seed).shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(element, seed) for element in value]
    return value


@given(st.data())
def test_values_of_generated_annotations_come_back(data: st.DataObject) -> None:
    annotation, values = data.draw(annotated_values())
    value = data.draw(values)
    codec = codec_for(annotation)
    serialised = codec.encode(value, name="x").SerializeToString(deterministic=True)
    assert same(codec.decode(Value.FromString(serialised)), value)
    again = codec.encode(codec.decode(Value.FromString(serialised)), name="x")
    assert canonical_bytes(again) == canonical_bytes(Value.FromString(serialised))


@given(st.data())
def test_a_codec_that_says_plain_writes_the_canonical_form(data: st.DataObject) -> None:
    annotation, values = data.draw(annotated_values())
    codec = codec_for(annotation)
    message = codec.encode(data.draw(values), name="x")
    if codec.plain:
        assert canonical_bytes(message) == message.SerializeToString(deterministic=True)


@given(naturals(), st.integers())
def test_the_digest_does_not_see_the_order_of_dicts(value: Any, seed: int) -> None:
    def digest(given_value: Any) -> bytes:
        values = NamedValues()
        values.values.add(name="x").value.CopyFrom(codec_for(Any).encode(given_value, name="x"))
        return inputs_digest(values)

    assert digest(value) == digest(shuffled(value, seed))


@given(st.data())
def test_whoever_knows_the_schema_only_can_read_the_value(data: st.DataObject) -> None:
    annotation, values = data.draw(annotated_values())
    value = data.draw(values)
    codec = codec_for(annotation)
    try:
        document = to_json(codec.encode(value, name="x"))
    except NoJsonForm:
        return
    json.dumps(document)
    found = codec_for(guess_annotation(codec.json_schema)).decode(codec.encode(value, name="x"))
    assert found is not None or value is None
