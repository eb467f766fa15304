"""What a value is, as plain data: the step between the wire and the texts of a form.

Like JSON, with three things more: which alternative of a union a value is, dicts whose keys are no texts, and data in
the object store. A pickle is never opened.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flyte.spec.durations import short_duration
from flyteapi.task.v1.value_pb2 import Value

Tree = Any
"""None, bool, int, float, str, list, dict with text keys, or one of the classes below."""


class NotShown(ValueError):
    """A value that a form cannot show. Says why, for people."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A value of a union."""

    type_name: str
    value: Tree


@dataclass(frozen=True, slots=True)
class Pairs:
    """A dict with keys of any kind."""

    pairs: tuple[tuple[Tree, Tree], ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """Data in an object store."""

    uri: str


def tree_of(message: Value) -> Tree:
    """The plain data of a value. Raises NotShown."""
    kind = message.WhichOneof("kind")
    match kind:
        case "none":
            return None
        case "bool" | "int" | "string" | "enum_name":
            return getattr(message, kind)
        case "ints" | "floats" | "strings":
            return [_number(item) for item in getattr(message, kind).items]
        case "union":
            return Alternative(message.union.alternative, tree_of(message.union.value))
        case "map":
            return Pairs(tuple((tree_of(entry.key), tree_of(entry.value)) for entry in message.map.entries))
        case "struct":
            return _struct(message)
        case "list":
            return [tree_of(item) for item in message.list.items]
        case "pickle":
            raise NotShown(f"An object of the class {message.pickle.type_name or 'unknown'}, kept as it is.")
        case _:
            return _scalar(message, kind or "")


def json_of(tree: Tree) -> Any:
    """A tree as JSON proper. Raises NotShown for a dict whose keys are no texts or numbers."""
    match tree:
        case Alternative(_, value):
            return json_of(value)
        case Stored(uri):
            return uri
        case Pairs(pairs):
            if not all(type(key) in (str, int) for key, _ in pairs):
                raise NotShown("A dict whose keys are neither texts nor numbers, kept as it is.")
            return {str(key): json_of(value) for key, value in pairs}
        case list():
            return [json_of(item) for item in tree]
        case dict():
            return {name: json_of(value) for name, value in tree.items()}
        case _:
            return tree


def _struct(message: Value) -> Tree:
    fields = message.struct.fields
    if message.struct.type_name == "tuple" and all(part.name.startswith("item_") for part in fields):
        return [tree_of(part.value) for part in fields]
    return {part.name: tree_of(part.value) for part in fields}


def _scalar(message: Value, kind: str) -> Tree:
    match kind:
        case "float":
            return _number(message.float)
        case "bytes":
            return base64.b64encode(message.bytes).decode()
        case "big_int":
            return int(message.big_int)
        case "datetime":
            return message.datetime.iso
        case "duration_us":
            return short_duration(timedelta(microseconds=message.duration_us))
        case "reference":
            return Stored(message.reference.uri)
        case _:
            raise NotShown("A value of a kind that this console does not know, kept as it is.")


def _number(value: Any) -> Tree:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
