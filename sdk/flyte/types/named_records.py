"""Codecs of NamedTuple and TypedDict classes."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_origin

from flyte.types.annotations import class_hints, describe, strip, substituted, type_arguments
from flyte.types.codec import Codec, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.natural import read_natural, write_natural
from flyte.types.pickles import read_other, write_pickle
from flyte.types.records import (
    RecordField,
    fields_reader,
    fields_writer,
    holds_record,
    mapping_writer,
    record_schema,
    written_in_order,
)
from flyte.types.sequences import SEQUENCE_KINDS, unpacked_items

if typing.TYPE_CHECKING:
    from flyte.types.codecs import Building

RECORD_CLASS: Final = "__flyte_record__"
"""The attribute of a TypedDict that names the class of dict that its values are read as."""


def build_named_record(annotation: Any, of: Building) -> Codec | None:
    """Return the codec of a NamedTuple or TypedDict class."""
    bare = strip(annotation)
    owner = get_origin(bare) or bare
    if not isinstance(owner, type):
        return None
    if typing.is_typeddict(owner):
        return _typed_dict_codec(annotation, owner, of)
    if issubclass(owner, tuple) and hasattr(owner, "_fields"):
        return _named_tuple_codec(annotation, owner, of)
    return None


def _named_tuple_codec(annotation: Any, owner: Any, of: Building) -> Codec:
    defaults: dict[str, Any] = owner._field_defaults
    fields = tuple(
        RecordField(name=name, codec=codec, required=name not in defaults, default=defaults.get(name, ...))
        for name, codec in _codecs(annotation, owner, owner._fields, of).items()
    )
    read_fields = fields_reader(fields)
    readers = [field.codec.read for field in fields]

    def read(message: Value) -> Any:
        try:
            if holds_record(message):
                return owner(**read_fields(message))
            if message.WhichOneof("kind") in SEQUENCE_KINDS:  # as a form or another language writes it
                return owner(*(read_item(item) for read_item, item in _paired(owner, readers, message)))
            return read_other(annotation, message, read)
        except TypeTransformerFailedError:
            raise
        except TypeError as error:
            raise TypeTransformerFailedError(f"{owner.__name__} refuses its fields: {error}") from error

    return _codec(annotation, owner, fields, _named_tuple_writer(annotation, owner, fields, read), read)


def _paired(owner: Any, readers: list[Read], message: Value) -> Iterable[tuple[Read, Value]]:
    items = unpacked_items(message)
    if len(items) > len(readers):
        raise TypeTransformerFailedError(f"{owner.__name__} has {len(readers)} fields, got {len(items)} values")
    return zip(readers, items, strict=False)


def _named_tuple_writer(annotation: Any, owner: Any, fields: tuple[RecordField, ...], read: Read) -> Write:
    write_fields = fields_writer(owner.__name__, fields)
    write_mapping = mapping_writer(owner.__name__, fields)

    def write(message: Value, value: Any) -> None:
        if type(value) is owner:
            write_fields(message, value.__getattribute__)
        elif isinstance(value, owner):
            write_pickle(message, value)
        elif isinstance(value, Mapping):
            given = Value()
            write_mapping(given, value)
            write(message, read(given))
        else:
            raise wrong_type(annotation, value)

    return write


def _typed_dict_codec(annotation: Any, owner: Any, of: Building) -> Codec:
    required = _required_keys(owner)
    fields = tuple(
        RecordField(name=name, codec=codec, required=name in required)
        for name, codec in _codecs(annotation, owner, owner.__annotations__, of).items()
    )
    # A TypedDict promises some keys and does not forbid others.
    write_mapping = mapping_writer(owner.__name__, fields, keep_unknown=write_natural)
    read_fields = fields_reader(fields, read_unknown=read_natural)
    built = getattr(owner, RECORD_CLASS, dict)

    def write(message: Value, value: Any) -> None:
        if not isinstance(value, dict):
            raise wrong_type(annotation, value)
        write_mapping(message, value)

    def read(message: Value) -> Any:
        if not holds_record(message):
            return read_other(annotation, message, read)
        values = read_fields(message)
        if missing := required - values.keys():
            raise TypeTransformerFailedError(f"{owner.__name__} lacks the keys {sorted(missing)}")
        return values if built is dict else built(values)

    return _codec(annotation, owner, fields, write, read)


def _required_keys(owner: Any) -> frozenset[str]:
    """Return the required keys; the class itself does not see `NotRequired` in annotations that are texts."""
    marked = {name: get_origin(hint) for name, hint in class_hints(owner).items()}
    return frozenset(
        name
        for name in owner.__annotations__
        if marked.get(name) is typing.Required
        or (name in owner.__required_keys__ and marked.get(name) is not typing.NotRequired)
    )


def _codecs(annotation: Any, owner: Any, names: Any, of: Building) -> dict[str, Codec]:
    hints, arguments = class_hints(owner), type_arguments(strip(annotation))
    loosely = of.loosely()
    return {name: loosely(substituted(hints.get(name, Any), arguments)) for name in names}


def _codec(annotation: Any, owner: Any, fields: tuple[RecordField, ...], write: Write, read: Read) -> Codec:
    bare, name = strip(annotation), describe(annotation)
    return Codec(
        annotation=annotation,
        type_name=name,
        write=write,
        read=read,
        schema=lambda definitions: record_schema(bare, name, fields, definitions),
        plain=issubclass(owner, tuple) and written_in_order(fields) and all(field.codec.plain for field in fields),
        exact=owner if issubclass(owner, tuple) else None,
    )
