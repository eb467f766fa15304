"""What is refused, what is coerced, and how a refusal reads."""

from __future__ import annotations

# ruff: noqa: UP007, UP045 -- both spellings of unions are what is tested.
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Optional, Union

import pytest
from tests.sdk.types.sample_types import Colour, Inner, Outer, Pair, Row

from flyte.types.codecs import codec_for
from flyte.types.mismatch import TypeTransformerFailedError


def message_of_refusal(annotation: Any, value: Any) -> str:
    with pytest.raises(TypeError) as refusal:
        codec_for(annotation).encode(value, name="x")
    return str(refusal.value)


def test_a_refusal_names_variable_types_value_and_reason() -> None:
    assert message_of_refusal(float, 3) == (
        "Type conversion failed for variable 'x'.\n"
        "Expected type: <class 'float'>\n"
        "Actual type: <class 'int'>\n"
        "Value received: 3\n"
        "Reason: Expected value of type <class 'float'> but got '3' of type <class 'int'>"
    )


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, True),
        (int, 1.0),
        (int, "1"),
        (float, 1),
        (float, True),
        (bool, 1),
        (str, None),
        (str, b"a"),
        (bytes, "a"),
        (date, datetime(2024, 1, 1)),
        (datetime, date(2024, 1, 1)),
        (list[int], [1, True]),
        (list[int], (1, 2)),
        (list[float], [1]),
        (dict[str, int], {"a": "b"}),
        (dict[str, int], [("a", 1)]),
        (tuple[int, str], (1,)),
        (tuple[int, str], [1, "a"]),
        (set[int], [1]),
        (Optional[int], "a"),
        (Union[int, str], 1.5),
        (Colour, "GREEN"),
        (Literal["a"], "b"),
        (Literal[1], True),
        (Inner, 3),
        (Outer, {"y": 3}),
        (Outer, {"x": 3, "z": 3}),
        (Outer, Outer(1, inner="a")),  # type: ignore[arg-type]
        (Pair, (1, "a")),
        (Row, {"b": "x"}),
        (None, 0),
    ],
)
def test_a_value_of_another_type_is_refused(annotation: Any, value: Any) -> None:
    assert message_of_refusal(annotation, value).startswith("Type conversion failed for variable 'x'.")


def test_a_bool_for_an_int_is_refused_in_the_words_that_programs_look_for() -> None:
    said = message_of_refusal(int, True)
    assert said.endswith("Reason: Field flyteidl2.core.Primitive.integer: Expected an int, got a boolean.")


def test_a_refusal_says_where_inside_the_value_it_is() -> None:
    assert "At [0].inner.a: Expected" in message_of_refusal(list[Outer], [{"x": 1, "inner": {"a": "q"}}])
    assert "At ['k']: " in message_of_refusal(dict[str, int], {"k": "v"})
    assert "At [1]: " in message_of_refusal(tuple[int, int], (1, "a"))


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(message_of_refusal(int, "a" * 100_000)) < 2_000


def test_a_value_whose_repr_fails_can_still_be_refused() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert "whose repr raised RuntimeError" in message_of_refusal(int, Broken())


def test_a_dict_becomes_the_dataclass_with_its_defaults() -> None:
    codec = codec_for(Outer)
    given = codec.encode({"x": 1, "y": 3, "inner": {"a": 2}, "rows": [{"a": 5}]}, name="x")
    assert codec.decode(given) == Outer(1, 3.0, Inner(2), [Inner(5)])
    assert given == codec.encode(Outer(1, 3.0, Inner(2), [Inner(5)]), name="x")


def test_a_dict_becomes_the_named_tuple_with_its_defaults() -> None:
    codec = codec_for(Pair)
    assert codec.decode(codec.encode({"a": 1}, name="x")) == Pair(1, "q")


def test_fields_of_records_take_an_int_for_a_float_and_none_for_anything() -> None:
    codec = codec_for(Outer)
    found = codec.decode(codec.encode(Outer(1, 3, label=None), name="x"))  # type: ignore[arg-type]
    assert (found.y, type(found.y), found.label) == (3.0, float, None)


@dataclass
class Unchecked:
    """Its fields take what Python lets into them."""

    count: int = 0
    names: list[str] = field(default_factory=list)
    place: Path = Path()
    maybe: int | None = None


def test_fields_of_dataclasses_that_hold_something_else_are_made_what_they_say_or_stay_as_they_are() -> None:
    codec = codec_for(Unchecked)
    given: Any = Unchecked(1.5, ("a",), "a/b", True)  # type: ignore[arg-type]
    assert codec.decode(codec.encode(given, name="x")) == Unchecked(1.5, ["a"], Path("a/b"), True)  # type: ignore[arg-type]
    assert "At .count: Expected" in message_of_refusal(Unchecked, {"count": "a"})
    assert "At .count: Expected" in message_of_refusal(Unchecked, Unchecked(Lock()))  # type: ignore[arg-type]


def test_an_enum_member_can_be_given_by_name() -> None:
    codec = codec_for(Colour)
    assert codec.decode(codec.encode("RED", name="x")) is Colour.RED


def test_a_union_takes_the_alternative_of_exactly_the_type() -> None:
    codec = codec_for(Union[float, int, bool])
    assert [codec.encode(value, name="x").union.alternative for value in (1, 1.0, True)] == ["int", "float", "bool"]
    either = codec_for(Union[set[int], frozenset[int]])
    for value in ({1}, frozenset({1})):
        assert type(either.decode(either.encode(value, name="x"))) is type(value)


@pytest.mark.parametrize(
    ("written", "read", "value", "expected"),
    [
        (Any, Outer, {"x": 1, "y": 2}, Outer(1, 2.0)),
        (Any, tuple[int, str], [1, "a"], (1, "a")),
        (Any, list[float], [1, 2], [1.0, 2.0]),
        (Any, set[int], [1, 2], {1, 2}),
        (Any, Optional[int], 3, 3),
        (Any, Optional[int], None, None),
        (Any, Colour, "RED", Colour.RED),
        (Any, dict[str, Inner], {"k": {"a": 1}}, {"k": Inner(1)}),
        (Optional[int], int, 3, 3),
        (Outer, dict, Outer(1, counts={"k": 1}), None),
        (int, Any, 3, 3),
        (Inner, Any, Inner(1, "b"), {"a": 1, "b": "b"}),
    ],
)
def test_a_reader_takes_the_natural_form_of_what_it_expects(written: Any, read: Any, value: Any, expected: Any) -> None:
    found = codec_for(read).decode(codec_for(written).encode(value, name="x"))
    assert found == expected or (expected is None and found["counts"] == {"k": 1})


@pytest.mark.parametrize(("written", "read", "value"), [(str, int, "3"), (int, str, 3), (list[str], list[int], ["a"])])
def test_a_message_of_another_type_is_refused_when_it_is_read(written: Any, read: Any, value: Any) -> None:
    message = codec_for(written).encode(value, name="x")
    with pytest.raises(TypeTransformerFailedError):
        codec_for(read).decode(message)


def test_a_record_that_lacks_a_field_is_refused_when_it_is_read() -> None:
    message = codec_for(dict[str, int]).encode({"y": 1}, name="x")
    with pytest.raises(TypeTransformerFailedError, match="Outer refuses its fields"):
        codec_for(Outer).decode(message)
