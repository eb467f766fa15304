"""Codecs of dataclasses: nested, generic, recursive, with defaults.

An instance of a subclass is carried as a pickle, since the fields of the annotated class are not all that it has, and
so is an instance of a class whose constructor needs more than its fields.
"""

from __future__ import annotations

import dataclasses
import inspect
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
    ordered_reader,
    record_schema,
    written_in_order,
)

if typing.TYPE_CHECKING:
    from flyte.types.codecs import Building


def build_dataclass(annotation: Any, of: Building) -> Codec | None:
    """Return the codec of a dataclass or of a generic dataclass with its arguments."""
    bare = strip(annotation)
    owner = get_origin(bare) or bare
    if not isinstance(owner, type) or not dataclasses.is_dataclass(owner) or not _is_made_of_its_fields(owner):
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
        plain=written_in_order(fields) and all(field.codec.plain for field in fields),
        exact=owner,
    )


def _field(field: dataclasses.Field[Any], codec: Codec) -> RecordField:
    has_default = field.default is not dataclasses.MISSING
    required = field.init and not has_default and field.default_factory is dataclasses.MISSING
    return RecordField(name=field.name, codec=codec, required=required, default=field.default if has_default else ...)


def _writer(annotation: Any, owner: type, fields: tuple[RecordField, ...], read: Read) -> Write:
    write_fields = fields_writer(owner.__name__, fields, as_they_are=True)
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
    read_in_order = ordered_reader(fields) if _parameters(owner) == [field.name for field in fields] else None
    outside_init = {field.name for field in dataclasses.fields(owner) if not field.init}

    construct: Callable[..., Any] = owner

    def read(message: Value) -> Any:
        values = read_in_order(message) if read_in_order is not None else None
        if values is None:
            return read_by_name(message)
        try:
            return construct(*values)
        except Exception as error:
            raise _refused(owner, error) from error

    def read_by_name(message: Value) -> Any:
        if not holds_record(message):
            return read_other(annotation, message, read)
        values = read_fields(message)
        late = {name: values.pop(name) for name in outside_init & values.keys()}
        try:
            instance = construct(**values)
        except Exception as error:
            raise _refused(owner, error) from error
        for name, element in late.items():
            object.__setattr__(instance, name, element)
        return instance

    return read


def _refused(owner: type, error: Exception) -> TypeTransformerFailedError:
    return TypeTransformerFailedError(f"{owner.__name__} refuses its fields: {error}")


def _parameters(owner: type) -> list[str] | None:
    """Return the names that the constructor takes by position, or None if it takes others as well."""
    parameters = inspect.signature(owner).parameters.values()
    by_position = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
    return [parameter.name for parameter in parameters] if by_position else None


def _is_made_of_its_fields(owner: Any) -> bool:
    """Tell whether the constructor needs the fields and nothing else: a class with an InitVar needs more."""
    given = {field.name for field in dataclasses.fields(owner) if field.init}
    parameters = inspect.signature(owner).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return True
    needed = {parameter.name for parameter in parameters if parameter.default is parameter.empty}
    return needed <= given <= {parameter.name for parameter in parameters}
