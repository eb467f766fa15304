"""Inputs for a task that is known by its stored interface only, not by its annotations."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from flyteapi.task.v1.interface_pb2 import Interface, Parameter
from flyteapi.task.v1.value_pb2 import NamedValues, Value


def encode_for_interface(
    interface: Interface, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, task_name: str
) -> NamedValues:
    """Return the inputs of a call, defaults filled in.

    Raises ValueError for inputs that are missing, unknown or too many, TypeError for a value of another type.
    """
    given = _bind([parameter.name for parameter in interface.inputs], args, kwargs, task_name=task_name)
    missing = [parameter.name for parameter in interface.inputs if parameter.required and parameter.name not in given]
    if missing:
        raise ValueError(f"Missing required inputs: {', '.join(missing)}")
    values = NamedValues()
    for parameter in interface.inputs:
        values.values.add(name=parameter.name).value.CopyFrom(_value(parameter, given))
    return values


def _bind(names: list[str], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, task_name: str) -> dict[str, Any]:
    if len(args) > len(names):
        raise ValueError(f"Too many positional arguments provided, expected inputs {names}, args {len(args)}")
    given = dict(zip(names, args, strict=False))
    if repeated := sorted(given.keys() & kwargs.keys()):
        raise ValueError(f"Inputs given twice, by position and by name: {', '.join(repeated)}")
    if unknown := sorted(kwargs.keys() - set(names)):
        raise ValueError(f"Unexpected inputs: {', '.join(unknown)}. The inputs of {task_name} are: {', '.join(names)}")
    return {**given, **kwargs}


def _value(parameter: Parameter, given: Mapping[str, Any]) -> Value:
    if parameter.name not in given:
        return Value.FromString(parameter.default_value)
    value = given[parameter.name]
    return _encoded(parameter, value)


def _encoded(parameter: Parameter, value: Any) -> Value:
    """Encode a value by the stored type, or, where only the caller has its class, as what it is."""
    from flyte.types.codecs import codec_for
    from flyte.types.guess import guess_annotation
    from flyte.types.mismatch import TypeTransformerFailedError

    if dataclasses.is_dataclass(value) or isinstance(value, enum.Enum) or hasattr(type(value), "model_fields"):
        return codec_for(type(value)).encode(value, name=parameter.name)
    annotation = guess_annotation(parameter.json_schema)
    codec = codec_for(annotation)
    if annotation in (bool, int, float, str):
        return codec.encode(value, name=parameter.name)
    message = Value()
    try:
        codec.write(message, value)
    except TypeTransformerFailedError:
        return codec_for(Any).encode(value, name=parameter.name)
    return message
