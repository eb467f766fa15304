"""Values as JSON: what a form shows as a default and what people read of inputs and outputs.

The JSON form is the one that the JSON Schema of the annotation describes. It is for reading: the message itself is what
keeps every value exactly.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from flyte.spec.durations import iso_duration
from flyte.types.codec import Value
from flyteapi.task.v1 import value_pb2

_AS_IT_IS: Final = frozenset({"bool", "int", "string", "enum_name"})
_PACKED: Final = frozenset({"ints", "floats", "strings"})
_REFERENCE_ADDRESS: Final = {value_pb2.Reference.TYPE_DATA_FRAME: "uri"}


class NoJsonForm(ValueError):
    """A value that JSON cannot hold: a pickle, or a dict whose keys are no texts."""


def to_json(message: Value) -> Any:
    """Return the JSON form of a message. Raises NoJsonForm."""
    kind = message.WhichOneof("kind") or ""
    if kind in _AS_IT_IS:
        return getattr(message, kind)
    if kind in _PACKED:
        return [_number(item) for item in getattr(message, kind).items]
    make = _FORMS.get(kind)
    if make is None:
        raise NoJsonForm(f"A value of kind {kind or 'unset'} has no JSON form")
    return make(message)


def literal_string_repr(
    lm: value_pb2.NamedValues | Value | value_pb2.NamedValue | Mapping[str, Value],
) -> dict[str, Any]:
    """Return values by name as people read them; what has no JSON form is described."""
    if isinstance(lm, Value):
        return {"value": _readable(lm)}
    if isinstance(lm, value_pb2.NamedValue):
        return {lm.name: _readable(lm.value)}
    pairs: Iterable[tuple[str, Value]]
    pairs = lm.items() if isinstance(lm, Mapping) else ((named.name, named.value) for named in lm.values)
    return {name: _readable(value) for name, value in pairs}


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _map(message: Value) -> dict[str, Any]:
    entries = message.map.entries
    keys = [to_json(entry.key) for entry in entries]
    if not all(type(key) in (str, int) for key in keys):
        raise NoJsonForm("A dict whose keys are no texts has no JSON form")
    return {str(key): to_json(entry.value) for key, entry in zip(keys, entries, strict=True)}


def _struct(message: Value) -> Any:
    fields = message.struct.fields
    if message.struct.type_name == "tuple" and all(part.name.startswith("item_") for part in fields):
        return [to_json(part.value) for part in fields]
    return {part.name: to_json(part.value) for part in fields}


def _reference(message: Value) -> dict[str, Any]:
    reference = message.reference
    shown = {_REFERENCE_ADDRESS.get(reference.type, "path"): reference.uri}
    more = {"format": reference.format, "hash": reference.hash}
    return {**shown, **{name: text for name, text in more.items() if text}}


def _readable(message: Value) -> Any:
    try:
        return to_json(message)
    except NoJsonForm:
        return f"<{message.pickle.type_name or 'a value that is no JSON'}>"


_FORMS: Final[dict[str, Any]] = {
    "none": lambda message: None,
    "float": lambda message: _number(message.float),
    "bytes": lambda message: base64.b64encode(message.bytes).decode(),
    "big_int": lambda message: int(message.big_int),
    "datetime": lambda message: message.datetime.iso,
    "duration_us": lambda message: iso_duration(timedelta(microseconds=message.duration_us)),
    "list": lambda message: [to_json(item) for item in message.list.items],
    "map": _map,
    "struct": _struct,
    "union": lambda message: to_json(message.union.value),
    "reference": _reference,
}
