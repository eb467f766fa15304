"""The codec of `Any`, of parameters without annotation, and of every class that no family knows.

A value that has a portable form (the scalars, lists and dicts of such values, files and frames) is written in it,
anything else as a pickle. Only exact types count as portable: a subclass, a tuple or a set would not come back as what
it was.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from flyte.types.annotations import NoneType, describe, strip
from flyte.types.codec import Codec, JsonSchema, Value, Write
from flyte.types.frames import read_frame_reference
from flyte.types.mismatch import TypeTransformerFailedError
from flyte.types.nesting import DICT_LEVELS, LIST_LEVELS, counted
from flyte.types.pickles import read_pickle, warn_of_pickle, write_pickle
from flyte.types.references import read_reference, write_reference
from flyte.types.scalars import SCALARS
from flyte.types.sequences import pack_homogeneous, read_items
from flyte.types.stored_record import StoredRecord


def build_natural(annotation: Any, of: Callable[[Any], Codec]) -> Codec:
    """Return a codec that takes any value; it never returns None and so is the last family."""
    bare = strip(annotation)
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=write_natural,
        read=read_natural,
        schema=lambda definitions: _schema(bare),
        exact=bare if _tells_instances(bare) else None,
        accepts_all=True,
        accepts_none=True,
    )


def _schema(bare: Any) -> JsonSchema:
    """Return the schema: a class that only a pickle can carry is marked, so that no form asks people for one."""
    if not _tells_instances(bare) or bare.__module__ == "collections.abc":
        return {}
    return {"title": describe(bare), "format": "pickle"}


def _tells_instances(annotation: Any) -> bool:
    """Tell whether an annotation is a class that some values are instances of and others are not."""
    if not isinstance(annotation, type) or annotation in (Any, object):
        return False
    return not getattr(annotation, "_is_protocol", False)


def write_natural(message: Value, value: Any) -> None:
    """Write a value in its portable form if it has one, else as a pickle."""
    writer = _WRITERS.get(type(value), write_pickle)
    if writer is not write_pickle:
        writer(message, value)
    elif _is_reference(value):
        write_reference(message, value)
    else:
        warn_of_pickle(type(value))
        write_pickle(message, value)


def read_natural(message: Value) -> Any:
    """Return the value of a message of any kind."""
    kind = message.WhichOneof("kind")
    codec = _READERS.get(kind or "")
    if codec is None:
        raise TypeTransformerFailedError("The value is of a kind that this version of the SDK does not know")
    return codec(message)


def _write_list(message: Value, value: list[Any]) -> None:
    if pack_homogeneous(message, value):
        return
    message.list.SetInParent()
    add = message.list.items.add
    for element in value:
        write_natural(add(), element)


def _write_dict(message: Value, value: dict[Any, Any]) -> None:
    message.map.SetInParent()
    add = message.map.entries.add
    for key, element in value.items():
        entry = add()
        write_natural(entry.key, key)
        write_natural(entry.value, element)


def _is_reference(value: Any) -> bool:
    # The classes of flyte.io are known without importing it, and so are their subclasses.
    return hasattr(type(value), "__flyte_reference__")


def _read_list(message: Value) -> list[Any]:
    return [read_natural(item) for item in message.list.items]


def _read_dict(message: Value) -> dict[Any, Any]:
    return {read_natural(entry.key): read_natural(entry.value) for entry in message.map.entries}


def _read_struct(message: Value) -> dict[str, Any]:
    return StoredRecord((part.name, read_natural(part.value)) for part in message.struct.fields)


def _read_reference(message: Value) -> Any:
    return read_frame_reference(message) or read_reference(message)


_WRITERS: Final[dict[type, Write]] = {
    **{kind: codec.write for kind, codec in SCALARS.items()},
    list: counted(_write_list, LIST_LEVELS),
    dict: counted(_write_dict, DICT_LEVELS),
    StoredRecord: counted(_write_dict, DICT_LEVELS),
}

_READERS: Final[dict[str, Callable[[Value], Any]]] = {
    "none": lambda message: None,
    "bool": lambda message: message.bool,
    "int": lambda message: message.int,
    "float": lambda message: message.float,
    "string": lambda message: message.string,
    "bytes": lambda message: message.bytes,
    "big_int": lambda message: int(message.big_int),
    "datetime": lambda message: _MOMENTS[message.datetime.type](message),
    "duration_us": lambda message: timedelta(microseconds=message.duration_us),
    "list": _read_list,
    "ints": lambda message: list(read_items(message) or ()),
    "floats": lambda message: list(read_items(message) or ()),
    "strings": lambda message: list(read_items(message) or ()),
    "map": _read_dict,
    "struct": _read_struct,
    "enum_name": lambda message: message.enum_name,
    "union": lambda message: read_natural(message.union.value),
    "reference": _read_reference,
    "pickle": read_pickle,
}

_MOMENTS: Final[dict[str, Callable[[Value], Any]]] = {
    kind.__name__: codec.read for kind, codec in SCALARS.items() if kind is not NoneType
}
