"""Every value of every kind of annotation comes back as what it was, with its type, through serialised messages."""

from __future__ import annotations

# ruff: noqa: UP007, UP045 -- both spellings of unions are what is tested.
import collections
import collections.abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PureWindowsPath
from typing import Annotated, Any, Literal, NewType, Optional, Union
from uuid import UUID

import numpy
import pydantic
import pytest
from tests.sdk.types.sample_types import (
    Box,
    Colour,
    Inner,
    Level,
    Mode,
    Opaque,
    Outer,
    Pair,
    Rights,
    Row,
    SubInner,
    Tree,
)

from flyte.io import DataFrame, Dir, File
from flyte.types.codecs import codec_for
from flyteapi.task.v1.value_pb2 import Value

UserId = NewType("UserId", int)
SUMMER = timezone(timedelta(hours=2))


class Model(pydantic.BaseModel):
    x: int
    colour: Colour = Colour.RED
    n: int | None = None
    file: File[Any] | None = None


class Open(pydantic.BaseModel, extra="allow"):
    x: int


class Numbers(pydantic.RootModel[list[int]]):
    pass


class Aliased(pydantic.BaseModel):
    x: int = pydantic.Field(alias="theX")


class Loose(pydantic.BaseModel, use_enum_values=True):
    """Its fields hold what their annotations do not say."""

    colours: list[Colour] = []
    place: Annotated[str, pydantic.AfterValidator(lambda text: Path(text))] = "."
    count: int = None  # type: ignore[assignment]


@dataclass
class WithInitVar:
    a: int
    more: InitVar[int]

    def __post_init__(self, more: int) -> None:
        self.a += more


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordOnly:
    a: str
    b: int


@dataclass
class OwnConstructor:
    a: int

    def __init__(self, a: str | int) -> None:
        self.a = int(a)


@dataclass
class NeedsMore:
    a: int

    def __init__(self, a: str, more: int) -> None:
        self.a = int(a) + more


@dataclass
class Nothing:
    pass


def through_bytes(annotation: Any, value: Any) -> tuple[str | None, Any]:
    """Encodes, serialises, parses and decodes; returns the kind of the message and the value."""
    codec = codec_for(annotation)
    message = Value.FromString(codec.encode(value, name="x").SerializeToString())
    return message.WhichOneof("kind"), codec.decode(message)


CASES: list[tuple[Any, Any, str]] = [
    (int, 3, "int"),
    (int, 2**63 - 1, "int"),
    (int, -(2**70), "big_int"),
    (int, 10**6000, "pickle"),
    (float, 1.5, "float"),
    (float, float("inf"), "float"),
    (str, "ä", "string"),
    (str, "\ud800", "pickle"),
    (bool, True, "bool"),
    (bytes, b"a\0", "bytes"),
    (None, None, "none"),
    (datetime, datetime(2024, 1, 1), "datetime"),
    (datetime, datetime(2024, 1, 1, 5, tzinfo=SUMMER), "datetime"),
    (date, date(2024, 1, 2), "datetime"),
    (time, time(1, 2, 3, 4, tzinfo=UTC), "datetime"),
    (timedelta, timedelta(-1, 3), "duration_us"),
    (timedelta, timedelta.max, "pickle"),
    (list[int], [1, 2], "ints"),
    (list[int], [], "ints"),
    (list[int], [1, 2**80], "list"),
    (list[float], [1.0, -0.0], "floats"),
    (list[str], ["a", ""], "strings"),
    (list[str], ["a", "\ud800"], "list"),
    (list[list[str]], [["a"], []], "list"),
    (list[Opaque], [Opaque(1)], "list"),
    (list, [1, "a", None], "list"),
    (list, [1, 2], "ints"),
    (list, [1, True], "list"),
    (dict[str, int], {"b": 2, "a": 1}, "map"),
    (dict[int, str], {1: "a"}, "map"),
    (dict[tuple[int, int], float], {(1, 2): 3.0}, "map"),
    (dict, {"a": 1, "b": [1, {"c": 2}], (1, 2): None}, "map"),
    (collections.OrderedDict[str, int], collections.OrderedDict(b=1, a=2), "map"),
    (set[int], {3, 1}, "ints"),
    (set, {1, "a"}, "list"),
    (frozenset[str], frozenset("ab"), "strings"),
    (tuple[int, str], (1, "a"), "struct"),
    (tuple[()], (), "struct"),
    (tuple[int, ...], (1, 2), "ints"),
    (tuple, (1, "a"), "list"),
    (Optional[int], None, "union"),
    (Optional[int], 3, "union"),
    (Union[int, str], "s", "union"),
    (int | str | None, 5, "union"),
    (list[int] | list[str], ["a"], "union"),
    (Inner | Outer, Outer(1), "union"),
    (Opaque | int, Opaque(3), "union"),
    (Opaque | int, 3, "union"),
    (Colour, Colour.RED, "enum_name"),
    (Level, Level.LOW, "enum_name"),
    (Mode, Mode.FAST, "enum_name"),
    (Rights, Rights.READ | Rights.WRITE, "pickle"),
    (Literal["a", 1, True, None], 1, "int"),
    (Literal["a", 1, True, None], True, "bool"),
    (Literal["a", 1, True, None], None, "none"),
    (Literal[Colour.RED], Colour.RED, "enum_name"),
    (Outer, Outer(1, 2.0, Inner(1, "q"), [Inner(2)], {"k": 1}, label="l"), "struct"),
    (Inner, SubInner(1, c=4), "pickle"),
    (Box[int], Box(3), "struct"),
    (Box[Inner], Box(Inner(1)), "struct"),
    (Tree, Tree(1, [Tree(2, [Tree(3)])]), "struct"),
    (Model, Model(x=1, file=File(path="/a")), "struct"),
    (Open, Open.model_validate({"x": 1, "y": [2]}), "struct"),
    (Numbers, Numbers([1, 2]), "struct"),
    (Aliased, Aliased(theX=3), "struct"),
    (Loose, Loose(colours=[Colour.RED], place="a/b"), "struct"),
    (Pair, Pair(1, "b"), "struct"),
    (Row, {"a": 1}, "struct"),
    (Row, {"a": 1, "b": "x", "more": [1]}, "struct"),
    (Opaque, Opaque(3), "pickle"),
    (complex, 1 + 2j, "pickle"),
    (Path, Path("/a/b"), "string"),
    (PurePath, PurePath("b"), "string"),
    (PurePath, PureWindowsPath("c:/b"), "pickle"),
    (Path, Path("\udcff"), "pickle"),
    (Path | str, Path("a"), "union"),
    (Path | str, "a", "union"),
    (UUID, UUID(int=5), "string"),
    (Decimal, Decimal("-1.50E+400"), "string"),
    (numpy.float64, numpy.float64(1.5), "pickle"),
    (range, range(3), "pickle"),
    (collections.defaultdict, collections.defaultdict(int, a=1), "pickle"),
    (WithInitVar, WithInitVar(1, 2), "pickle"),
    (KeywordOnly, KeywordOnly(b=2, a="x"), "struct"),
    (OwnConstructor, OwnConstructor("3"), "struct"),
    (NeedsMore, NeedsMore("3", 4), "pickle"),
    (Nothing, Nothing(), "struct"),
    (list[Pair], [Pair(1, "b")], "list"),
    (dict[str, Row], {"r": {"a": 1}}, "map"),
    (Any, {"z": [1.5]}, "map"),
    (Any, (1, 2), "pickle"),
    (Any, {1, 2}, "pickle"),
    (Any, Level.LOW, "pickle"),
    (Any, datetime(2024, 1, 1), "datetime"),
    (Any, timedelta(1), "duration_us"),
    (object, b"x", "bytes"),
    (Callable[[int], int], abs, "pickle"),
    (type[int], int, "pickle"),
    (Sequence[int], [1], "ints"),
    (Sequence[int], (1,), "pickle"),
    (Sequence[Inner], [Inner(1)], "list"),
    (Iterable[Inner], collections.deque([Inner(1)]), "pickle"),
    (Mapping[str, int], {"a": 1}, "map"),
    (Mapping[str, Inner], {"a": Inner(1)}, "map"),
    (Mapping[str, Inner], collections.OrderedDict(a=Inner(1)), "pickle"),
    (collections.abc.Set[str], {"a"}, "strings"),
    (collections.abc.Set[str], frozenset("a"), "pickle"),
    (Annotated[int, "unit"], 3, "int"),
    (Annotated[int, ["cannot be hashed"]], 3, "int"),
    (UserId, UserId(7), "int"),
    (File, File(path="/tmp/x", hash="h", format="csv"), "reference"),
    (File[Any], File(path="s3://bucket/x"), "reference"),
    (Dir, Dir(path="/tmp"), "reference"),
    (DataFrame, DataFrame(uri="s3://b/x.parquet", format="parquet", hash="h"), "reference"),
    (Any, Dir(path="s3://a/b"), "reference"),
    (Any, DataFrame(uri="s3://b/x.parquet", format="parquet"), "reference"),
]


@pytest.mark.parametrize(("annotation", "value", "kind"), CASES, ids=[f"{i}-{case[2]}" for i, case in enumerate(CASES)])
def test_a_value_comes_back_as_it_was(annotation: Any, value: Any, kind: str) -> None:
    found_kind, found = through_bytes(annotation, value)
    assert found == value
    assert type(found) is type(value)
    assert found_kind == kind


def test_a_naive_datetime_stays_naive_and_an_aware_one_keeps_its_offset() -> None:
    assert through_bytes(datetime, datetime(2024, 1, 1))[1].tzinfo is None
    assert through_bytes(datetime, datetime(2024, 1, 1, tzinfo=SUMMER))[1].utcoffset() == timedelta(hours=2)


def test_dicts_keep_their_order() -> None:
    given = {f"key{n}": n for n in (3, 1, 2)}
    assert list(through_bytes(dict[str, int], given)[1]) == list(given)


def test_a_numpy_array_is_carried() -> None:
    array = numpy.arange(6).reshape(2, 3)
    assert (through_bytes(numpy.ndarray, array)[1] == array).all()


def test_numpy_floats_are_floats_and_numpy_ints_are_not_ints() -> None:
    found = through_bytes(float, numpy.float64(1.5))[1]
    assert (found, type(found)) == (1.5, float)
    with pytest.raises(TypeError):
        through_bytes(int, numpy.int64(1))


def test_subclasses_of_scalars_become_the_bare_type() -> None:
    class Shouting(str):
        def __str__(self) -> str:
            return self.upper()

    assert through_bytes(str, Shouting("a"))[1] == "a"
    assert through_bytes(int, Level.LOW)[1] == 1
    assert type(through_bytes(int, Level.LOW)[1]) is int


@pytest.mark.parametrize("annotation", [Any, list, Tree])
def test_what_is_nested_deeper_than_messages_may_be_still_travels(annotation: Any) -> None:
    value: Any = Tree(0) if annotation is Tree else []
    for depth in range(150):
        value = Tree(depth, [value]) if annotation is Tree else [value]
    assert through_bytes(annotation, value)[1] == value


def test_equal_sets_are_equal_messages() -> None:
    forward, backward = set(map(str, range(50))), set(map(str, reversed(range(50))))
    assert codec_for(set).encode(forward, name="x") == codec_for(set).encode(backward, name="x")


def test_the_codec_of_an_annotation_is_made_once() -> None:
    assert codec_for(list[int]) is codec_for(list[int])
    assert codec_for(Union[int, str]).type_name == "int | str"
    assert codec_for(Union[str, int]).type_name == "str | int"


def test_a_value_without_portable_or_pickled_form_is_refused_with_its_reason() -> None:
    with pytest.raises(TypeError, match=r"(?s)variable 'x'.*cannot be pickled"):
        codec_for(Any).encode((n for n in range(3)), name="x")


def test_a_record_without_fields_is_not_taken_for_none() -> None:
    assert through_bytes(Nothing | None, None)[1] is None
    assert through_bytes(Nothing | None, Nothing())[1] == Nothing()
    with pytest.raises(TypeError):
        codec_for(Nothing).decode(Value(int=3))


def test_a_text_is_no_sequence_of_texts() -> None:
    with pytest.raises(TypeError, match="Expected value of type"):
        codec_for(Sequence[str]).encode("ab", name="x")


def test_a_pickle_is_announced_once_for_each_class(caplog: pytest.LogCaptureFixture) -> None:
    class Strange:
        pass

    for _ in range(2):
        codec_for(Any).encode(Strange(), name="x")
        codec_for(list[Strange]).encode([Strange()], name="x")
    assert [record.message.count("Strange have no portable form") for record in caplog.records] == [1]
    assert codec_for(Strange).json_schema == {"title": "Strange", "format": "pickle"}
