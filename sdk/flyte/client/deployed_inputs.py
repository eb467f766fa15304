"""Inputs for a task that is known by its stored interface only, not by its annotations."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Final

from flyteapi.task.v1.interface_pb2 import Interface, Parameter
from flyteapi.task.v1.value_pb2 import NamedValues, Value

_SCALARS: Final = (bool, int, float, str)


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

    if _tells_its_form(value):
        return codec_for(type(value)).encode(value, name=parameter.name)
    annotation = guess_annotation(parameter.json_schema)
    codec = codec_for(annotation)
    if annotation in (bool, int, float, str):
        return codec.encode(value, name=parameter.name)
    message = Value()
    try:
        codec.write(message, value)
    except TypeTransformerFailedError:
        return as_it_is(value)
    return message


def as_it_is(value: Any) -> Value:
    """Return a value written by what it is, the records and enums in lists and dicts too, so that none is a pickle."""
    message = Value()
    _write_as_it_is(message, value)
    return message


def _tells_its_form(value: Any) -> bool:
    """Whether the class of a value says all of how it is written: records and enums."""
    return (
        (dataclasses.is_dataclass(value) and not isinstance(value, type))
        or isinstance(value, enum.Enum)
        or hasattr(type(value), "model_fields")
    )


def _write_as_it_is(message: Value, value: Any) -> None:
    from flyte.types.codecs import codec_for

    if _tells_its_form(value):
        codec_for(type(value)).write(message, value)
    elif type(value) is list and not all(isinstance(item, _SCALARS) for item in value):
        message.list.SetInParent()
        for item in value:
            _write_as_it_is(message.list.items.add(), item)
    elif type(value) is dict:
        message.map.SetInParent()
        for key, item in value.items():
            entry = message.map.entries.add()
            _write_as_it_is(entry.key, key)
            _write_as_it_is(entry.value, item)
    else:
        codec_for(Any).write(message, value)
