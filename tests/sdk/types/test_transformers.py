"""Types that a program or an installed plugin adds, as the peer SDK spells it."""

from __future__ import annotations

# ruff: noqa: UP006, UP035 -- what a guess of a type is made of
import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Dict, NamedTuple

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tests.sdk.types.sample_types import Inner

from flyte.types import FlytePickle, LiteralType, Renderable, TypeEngine, TypeTransformer, codecs, plugins
from flyte.types.codecs import codec_for
from flyte.types.mismatch import TypeTransformerFailedError
from flyteapi.task.v1.value_pb2 import Value


class Celsius:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius) and self.degrees == other.degrees

    def __hash__(self) -> int:
        return hash(self.degrees)


class Boiling(Celsius):
    pass


@dataclass
class Weather:
    now: Celsius
    later: list[Celsius | None]


class CelsiusTransformer(TypeTransformer[Celsius]):
    def __init__(self) -> None:
        super().__init__("Celsius", Celsius)

    def get_literal_type(self, t: Any) -> LiteralType:
        return LiteralType(type_name="Celsius", json_schema={"type": "number", "title": "Celsius"})

    async def to_literal(self, python_val: Celsius, python_type: Any, expected: LiteralType) -> Value:
        await asyncio.sleep(0)
        assert expected.type_name == "Celsius"
        return await TypeEngine.to_literal(python_val.degrees, float)

    async def to_python_value(self, lv: Value, expected_python_type: Any) -> Celsius:
        made: Celsius = expected_python_type(await TypeEngine.to_python_value(lv, float))
        return made


class ForeignTransformer(CelsiusTransformer):
    """Returns a message that is not of this platform, as transformers of other SDKs do."""

    def get_literal_type(self, t: Any) -> Any:
        return "a type of its own"

    async def to_literal(self, python_val: Celsius, python_type: Any, expected: Any) -> Any:
        return StringValue(value=str(python_val.degrees))

    async def to_python_value(self, lv: Any, expected_python_type: Any) -> Celsius:
        assert isinstance(lv, StringValue)
        return Celsius(float(lv.value))


@pytest.fixture(autouse=True)
def _forgotten_afterwards() -> Iterator[None]:
    yield
    TypeEngine._transformers.clear()
    codecs._registered.clear()
    codecs._finished.clear()


def through_bytes(annotation: Any, value: Any) -> Any:
    codec = codec_for(annotation)
    return codec.decode(Value.FromString(codec.encode(value, name="x").SerializeToString()))


def test_a_registered_class_is_converted_wherever_it_appears() -> None:
    TypeEngine.register(CelsiusTransformer())
    assert codec_for(Celsius).encode(Celsius(1.5), name="x") == Value(float=1.5)
    weather = Weather(Celsius(1.0), [None, Celsius(2.0)])
    assert through_bytes(Weather, weather) == weather
    assert codec_for(Celsius).json_schema == {"type": "number", "title": "Celsius"}


async def test_a_transformer_is_awaited_although_the_loop_of_the_caller_is_busy() -> None:
    TypeEngine.register(CelsiusTransformer())
    assert through_bytes(dict[str, Celsius], {"a": Celsius(3.0)}) == {"a": Celsius(3.0)}
    assert await TypeEngine.to_literal(Celsius(3.0), Celsius) == Value(float=3.0)
    assert await TypeEngine.to_python_value(Value(float=3.0), Celsius) == Celsius(3.0)


def test_a_subclass_is_converted_as_its_base() -> None:
    TypeEngine.register(CelsiusTransformer())
    found = through_bytes(Boiling, Boiling(100.0))
    assert (type(found), found.degrees) == (Boiling, 100.0)
    assert TypeEngine.get_transformer(Boiling).name == "Celsius"


def test_a_message_of_another_system_is_carried_as_its_bytes() -> None:
    TypeEngine.register(ForeignTransformer())
    message = codec_for(Celsius).encode(Celsius(1.5), name="x")
    assert message.struct.type_name == "google.protobuf.StringValue"
    assert through_bytes(Celsius | int, Celsius(1.5)) == Celsius(1.5)
    message.struct.type_name = "no.such.Message"
    with pytest.raises(TypeTransformerFailedError, match="import the module that defines it"):
        codec_for(Celsius).decode(message)


def test_what_a_transformer_raises_names_the_variable_and_the_reason() -> None:
    class Failing(CelsiusTransformer):
        async def to_literal(self, python_val: Any, python_type: Any, expected: Any) -> Any:
            raise KeyError("no scale")

    TypeEngine.register(Failing())
    with pytest.raises(TypeError, match=r"(?s)variable 'x'.*KeyError: 'no scale'"):
        codec_for(Celsius).encode(Celsius(1.0), name="x")
    with pytest.raises(TypeError, match=r"(?s)variable 'x'.*Expected value of type"):
        codec_for(Celsius).encode("warm", name="x")


def test_a_class_has_one_transformer() -> None:
    with pytest.raises(ValueError, match="converted by int already"):
        TypeEngine.register(CelsiusTransformer(), additional_types=[int])
    TypeEngine.register(CelsiusTransformer(), additional_types=[Boiling])
    assert {int, Celsius, Boiling} <= set(TypeEngine.get_available_transformers())
    with pytest.raises(ValueError, match="converted by Celsius already"):
        TypeEngine.register(ForeignTransformer())
    TypeEngine.register_additional_type(ForeignTransformer(), Celsius)
    assert codec_for(Celsius).encode(Celsius(1.5), name="x") == Value(float=1.5)
    TypeEngine.register_additional_type(ForeignTransformer(), Celsius, override=True)
    assert codec_for(Celsius).encode(Celsius(1.5), name="x").WhichOneof("kind") == "struct"


def test_a_restricted_class_is_refused() -> None:
    TypeEngine.register_restricted_type("celsius", Celsius)
    with pytest.raises(TypeTransformerFailedError, match="restricted type"):
        codec_for(Celsius)


async def test_the_engine_converts_what_the_sdk_knows_itself() -> None:
    expected = TypeEngine.to_literal_type(list[Inner])
    assert (expected.type_name, expected.json_schema["type"]) == ("list[Inner]", "array")
    message = await TypeEngine.to_literal([Inner(1)], list[Inner], expected)
    assert await TypeEngine.to_python_value(message, list[Inner]) == [Inner(1)]
    assert TypeEngine.guess_python_type(TypeEngine.to_literal_type(dict[str, int])) == Dict[str, int]
    with pytest.raises(TypeTransformerFailedError, match="cannot be None"):
        await TypeEngine.to_literal(None, int)
    values = await TypeEngine.dict_to_literal_map({"a": 1, "b": [2.0]}, {"b": list[float]})
    assert await TypeEngine.literal_map_to_kwargs(values, {"a": int}) == {"a": 1, "b": [2.0]}


def test_the_fields_of_a_named_tuple_have_types() -> None:
    class Point(NamedTuple):
        x: int

    variables = TypeEngine.named_tuple_to_variable_map(Point)
    assert variables["x"].json_schema == {"type": "integer"}


def test_values_are_shown_as_html() -> None:
    class Loud:
        def to_html(self, python_value: Any) -> str:
            return f"<b>{python_value}</b>"

    assert isinstance(Loud(), Renderable)
    assert TypeEngine.to_html(1, Annotated[int, Loud()]) == "<b>1</b>"
    assert TypeEngine.to_html("<a>", str) == "&lt;a&gt;"


async def test_a_pickle_can_be_put_into_storage() -> None:
    uri = await FlytePickle.to_pickle(Celsius(1.0))
    assert await FlytePickle.from_pickle(uri) == Celsius(1.0)
    assert through_bytes(FlytePickle, Celsius(2.0)) == Celsius(2.0)


def test_an_installed_plugin_is_asked_before_anything_is_pickled(tmp_path: Path) -> None:
    metadata = tmp_path / "weather-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: weather\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[{plugins.GROUP}]\nbroken = no_such_module\nweather = {__name__}:register_celsius\n"
    )
    sys.path.insert(0, str(tmp_path))
    plugins._loaded = False
    try:
        assert codec_for(list[Celsius]).encode([Celsius(1.5)], name="x").list.items[0] == Value(float=1.5)
    finally:
        sys.path.remove(str(tmp_path))


def register_celsius() -> None:
    TypeEngine.register(CelsiusTransformer())
