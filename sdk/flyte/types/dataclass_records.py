"""Codecs of dataclasses: nested, generic, recursive, with defaults.

An instance of a subclass is carried as a pickle, since the fields of the annotated class are not all that it has.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, get_origin

from flyte.types.annotations import class_hints, describe, strip, substituted, type_arguments
from flyte.types.codec import Codec, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.pickles import read_other, write_pickle
from flyte.types.records import (
    RecordField,
    fields_reader,
    fields_writer,
    holds_record,
    mapping_writer,
    record_schema,
)

if typing.TYPE_CHECKING:
    from flyte.types.codecs import Building


def build_dataclass(annotation: Any, of: Building) -> Codec | None:
    """Return the codec of a dataclass or of a generic dataclass with its arguments."""
    bare = strip(annotation)
    owner = get_origin(bare) or bare
    if not isinstance(owner, type) or not dataclasses.is_dataclass(owner):
        return None
    hints, arguments = class_hints(owner), type_arguments(bare)
    loosely = of.loosely()
    fields = tuple(
        _field(field, loosely(substituted(hints.get(field.name, Any), arguments)))
        for field in dataclasses.fields(owner)
    )
    read = _reader(annotation, owner, fields)
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, owner, fields, read),
        read=read,
        schema=lambda definitions: record_schema(bare, describe(bare), fields, definitions),
        plain=all(field.codec.plain for field in fields),
        exact=owner,
    )


def _field(field: dataclasses.Field[Any], codec: Codec) -> RecordField:
    has_default = field.default is not dataclasses.MISSING
    required = field.init and not has_default and field.default_factory is dataclasses.MISSING
    return RecordField(name=field.name, codec=codec, required=required, default=field.default if has_default else ...)


def _writer(annotation: Any, owner: type, fields: tuple[RecordField, ...], read: Read) -> Write:
    write_fields = fields_writer(owner.__name__, fields)
    write_mapping = mapping_writer(owner.__name__, fields)

    def write(message: Value, value: Any) -> None:
        if type(value) is owner:
            write_fields(message, value.__getattribute__)
        elif isinstance(value, owner):
            write_pickle(message, value)
        elif isinstance(value, Mapping):
            # Made an instance first, so that the defaults and checks of the class apply.
            given = Value()
            write_mapping(given, value)
            write(message, read(given))
        else:
            raise wrong_type(annotation, value)

    return write


def _reader(annotation: Any, owner: type, fields: tuple[RecordField, ...]) -> Read:
    read_fields = fields_reader(fields)
    outside_init = {field.name for field in dataclasses.fields(owner) if not field.init}
    construct: Callable[..., Any] = owner

    def read(message: Value) -> Any:
        if not holds_record(message):
            return read_other(annotation, message, read)
        values = read_fields(message)
        late = {name: values.pop(name) for name in outside_init & values.keys()} if outside_init else {}
        try:
            instance = construct(**values)
        except Exception as error:
            raise TypeTransformerFailedError(f"{owner.__name__} refuses its fields: {error}") from error
        for name, element in late.items():
            object.__setattr__(instance, name, element)
        return instance

    return read
