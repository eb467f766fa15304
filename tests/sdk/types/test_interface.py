"""Inputs and outputs of whole tasks."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flyte.authoring.interface import NativeInterface
from flyte.errors import InlineIOMaxBytesBreached, RuntimeDataValidationError
from flyte.types import interface as interface_module
from flyte.types.interface import InterfaceCodec, check_inline_size, interface_codec
from flyteapi.task.v1.value_pb2 import NamedValues, Value


@dataclass
class Config:
    rate: float
    steps: list[int]


def train(x: int, config: Config, tags: dict[str, Any] | None = None, name: str = "run") -> tuple[int, str]:
    """Train.

    Args:
        x: how often
    """
    raise NotImplementedError


def nothing() -> None: ...


def one(x: int) -> int:
    return x


def implicit(x: int = None) -> int:  # type: ignore[assignment]  # noqa: RUF013 -- programs do write this
    return x


def codec_of(function: Callable[..., Any]) -> InterfaceCodec:
    return InterfaceCodec(NativeInterface.from_callable(function))


CONFIG = Config(0.5, [1, 2])


def test_inputs_come_back_by_name_in_order_with_defaults() -> None:
    codec = codec_of(train)
    found = codec.decode_inputs(codec.encode_inputs((3,), {"config": CONFIG}))
    assert found == {"x": 3, "config": CONFIG, "tags": None, "name": "run"}
    assert list(found) == ["x", "config", "tags", "name"]


def test_equal_calls_are_equal_bytes_however_they_are_written() -> None:
    codec = codec_of(train)
    assert codec.encode_inputs((3, CONFIG, None, "run"), {}) == codec.encode_inputs(
        (), {"name": "run", "config": {"rate": 0.5, "steps": [1, 2]}, "x": 3}
    )


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "Missing required inputs: x"),
        ((1, 2), {}, r"Too many positional arguments provided, expected inputs dict_keys\(\['x'\]\), args 2"),
        ((1,), {"x": 2}, "Inputs given twice"),
        ((1,), {"y": 2}, "Unexpected inputs: y"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        codec_of(one).encode_inputs(args, kwargs)


def test_a_wrong_input_is_named() -> None:
    with pytest.raises(TypeError, match=r"Type conversion failed for variable 'config'\."):
        codec_of(train).encode_inputs((1, "no"), {})


def test_inputs_that_were_written_without_defaults_get_them() -> None:
    values = NamedValues()
    values.values.add(name="x", value=Value(int=1))
    values.values.add(name="config").value.CopyFrom(codec_of(train).input_codecs["config"].encode(CONFIG, name="c"))
    assert codec_of(train).decode_inputs(values.SerializeToString())["name"] == "run"


def test_inputs_that_are_missing_unknown_or_broken_are_refused() -> None:
    codec = codec_of(one)
    unknown = NamedValues()
    unknown.values.add(name="y", value=Value(int=1))
    with pytest.raises(ValueError, match="Missing required inputs: x"):
        codec.decode_inputs(b"")
    with pytest.raises(ValueError, match="Unexpected inputs: y"):
        codec.decode_inputs(unknown.SerializeToString())
    with pytest.raises(ValueError, match="are not the inputs or outputs"):
        codec.decode_inputs(b"\xff\xff")
    text = NamedValues()
    text.values.add(name="x", value=Value(string="a"))
    with pytest.raises(TypeError, match="Input 'x' cannot be read"):
        codec.decode_inputs(text.SerializeToString())


def test_a_default_of_none_makes_an_input_optional() -> None:
    codec = codec_of(implicit)
    assert codec.decode_inputs(codec.encode_inputs((), {})) == {"x": None}
    assert codec.decode_inputs(codec.encode_inputs((3,), {})) == {"x": 3}


def test_outputs_are_nothing_one_value_or_a_tuple() -> None:
    for function, result in ((nothing, None), (one, 3), (train, (3, "a"))):
        codec = codec_of(function)
        assert codec.decode_outputs(codec.encode_outputs(result)) == result


@pytest.mark.parametrize(("function", "result"), [(nothing, 3), (one, "a"), (train, 3), (train, (1,)), (train, (1, 2))])
def test_an_output_that_does_not_fit_is_refused(function: Callable[..., Any], result: Any) -> None:
    with pytest.raises(RuntimeDataValidationError):
        codec_of(function).encode_outputs(result)


def test_missing_outputs_are_refused() -> None:
    with pytest.raises(ValueError, match="Missing outputs: o0"):
        codec_of(one).decode_outputs(b"")


def test_the_interface_tells_names_types_defaults_and_descriptions() -> None:
    message = codec_of(train).to_proto()
    x, config, tags, name = message.inputs
    assert (x.name, x.type_name, x.required, x.json_schema, x.description) == (
        *("x", "int", True, '{"type":"integer"}', "how often"),
    )
    assert (config.type_name, config.required, tags.required) == ("Config", True, False)
    assert Value.FromString(name.default_value) == Value(string="run")
    assert [(output.name, output.type_name) for output in message.outputs] == [("o0", "int"), ("o1", "str")]


def test_the_digest_leaves_out_ignored_inputs_and_sees_all_others() -> None:
    codec = codec_of(train)
    calls = [codec.encode_inputs((x, CONFIG), {"name": name}) for x in (1, 2) for name in ("a", "b")]
    assert len({codec.inputs_digest(call) for call in calls}) == 4
    assert len({codec.inputs_digest(call, ignored=("name",)) for call in calls}) == 2


def test_a_value_that_contains_itself_travels_as_a_pickle() -> None:
    def function(x: Any, y: int) -> None: ...

    endless: list[Any] = []
    endless.append(endless)
    codec = codec_of(function)
    found = codec.decode_inputs(codec.encode_inputs((endless, 3), {}))
    inner = found["x"]
    while inner is not inner[0] and inner[0] is not None and inner is not found["x"][0][0]:
        inner = inner[0]
    assert found["y"] == 3
    assert len(inner) == 1


def test_the_codec_of_an_interface_lives_as_long_as_the_interface() -> None:
    interface = NativeInterface.from_callable(one)
    assert interface_codec(interface) is interface_codec(interface)
    key = id(interface)
    # The codec holds the interface's parts, not the interface's place in the table.
    assert key in interface_module._codecs
    del interface
    gc.collect()
    assert key not in interface_module._codecs


def test_what_weighs_more_than_the_limit_is_refused() -> None:
    check_inline_size(b"12345", 5, "inputs")
    with pytest.raises(InlineIOMaxBytesBreached, match=r"outputs weigh 6 bytes.*max_inline_io_bytes, is 5"):
        check_inline_size(b"123456", 5, "outputs")
