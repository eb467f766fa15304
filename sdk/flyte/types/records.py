"""What the codecs of classes with named fields share: a value is a struct, and each field has a codec of its own.

Fields are as lenient as Python's own annotations: an int stands for a float, and None for a field whose default is
None in all but the annotation. A dict is taken for a record of the class, with the defaults of the missing fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyte.types.codec import Codec, Definitions, JsonSchema, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError
from flyte.types.unfit_fields import as_it_is
from flyteapi.task.v1 import value_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordField:
    """One field of a record."""

    name: str
    codec: Codec
    required: bool = True
    default: Any = ...
    """Shown in the schema if JSON can hold it; the class itself applies it."""


def written_in_order(fields: Iterable[RecordField]) -> bool:
    """Tell whether the fields are written in the order of their names, which is that of the canonical form."""
    names = [field.name for field in fields]
    return names == sorted(names)


def fields_writer(
    type_name: str, fields: Sequence[RecordField], *, as_they_are: bool = False
) -> Callable[[Value, Callable[[str], Any]], None]:
    """Return a function that writes the fields that `get` returns by name.

    `as_they_are`: what does not fit its annotation is taken as well, see `flyte.types.unfit_fields`.
    """
    write_fitting = _named_writer(
        type_name, [(field.name, _tolerant(field.codec, field.codec.write)) for field in fields]
    )
    if not as_they_are:
        return write_fitting
    write_any = _named_writer(
        type_name, [(field.name, _tolerant(field.codec, as_it_is(field.codec))) for field in fields]
    )

    def write(message: Value, get: Callable[[str], Any]) -> None:
        try:
            write_fitting(message, get)
        except TypeTransformerFailedError:
            message.ClearField("struct")
        else:
            return
        write_any(message, get)

    return write


def _named_writer(type_name: str, writers: list[tuple[str, Write]]) -> Callable[[Value, Callable[[str], Any]], None]:
    def write(message: Value, get: Callable[[str], Any]) -> None:
        struct = message.struct
        struct.type_name = type_name
        add = struct.fields.add
        name = ""
        try:
            for name, write_field in writers:
                write_field(add(name=name).value, get(name))
        except TypeTransformerFailedError as failure:
            raise failure.inside(f".{name}") from None

    return write


def mapping_writer(
    type_name: str, fields: Iterable[RecordField], *, keep_unknown: Write | None = None
) -> Callable[[Value, Mapping[Any, Any]], None]:
    """Return a function that writes a mapping as a record.

    A missing required field is refused, and so is an unknown one unless `keep_unknown` writes it.
    """
    by_name = {field.name: field for field in fields}
    writers = {field.name: _tolerant(field.codec, field.codec.write) for field in by_name.values()}

    def write(message: Value, values: Mapping[Any, Any]) -> None:
        missing = [name for name, field in by_name.items() if field.required and name not in values]
        unknown = [name for name in values if name not in by_name]
        if missing or (unknown and (keep_unknown is None or not all(isinstance(name, str) for name in unknown))):
            raise TypeTransformerFailedError(
                f"The dict does not fit {type_name}: missing {missing}, unknown {unknown}, known {list(by_name)}"
            )
        message.struct.type_name = type_name
        for name in (*(name for name in by_name if name in values), *unknown):
            try:
                writers.get(name, keep_unknown)(message.struct.fields.add(name=name).value, values[name])  # type: ignore[misc]
            except TypeTransformerFailedError as failure:
                raise failure.inside(f".{name}") from None

    return write


def fields_reader(
    fields: Iterable[RecordField], *, read_unknown: Read | None = None
) -> Callable[[Value], dict[str, Any]]:
    """Return a function that reads a struct, or a dict with str keys, to the values of its fields by name.

    Fields that the class no longer has are left out unless `read_unknown` reads them. A missing field is left out as
    well: whether it may be missing is for the class to say.
    """
    readers = {field.name: field.codec.read for field in fields}

    def read(message: Value) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for part in _parts(message):
            name = part.name
            read_field = readers.get(name, read_unknown)
            if read_field is None:
                continue
            try:
                values[name] = read_field(part.value)
            except TypeTransformerFailedError as failure:
                if part.value.WhichOneof("kind") != "none":
                    raise failure.inside(f".{name}") from None
                values[name] = None
        return values

    return read


def ordered_reader(fields: Iterable[RecordField]) -> Callable[[Value], list[Any] | None]:
    """Return a function that reads a struct written by this very class: its values, in the order of the fields.

    It returns None for anything else, which `fields_reader` then reads at its leisure.
    """
    readers = tuple((field.name, field.codec.read) for field in fields)
    count = len(readers)

    def read(message: Value) -> list[Any] | None:
        parts = message.struct.fields
        if len(parts) != count or not parts:
            return None
        values: list[Any] = []
        keep = values.append
        try:
            for (name, read_field), part in zip(readers, parts, strict=True):
                if part.name != name:
                    return None
                keep(read_field(part.value))
        except TypeTransformerFailedError:
            return None
        return values

    return read


def holds_record(message: Value) -> bool:
    """Tell whether a message can be read as a record."""
    if message.struct.fields:
        return True
    kind = message.WhichOneof("kind")
    return kind == "struct" or (
        kind == "map" and all(entry.key.WhichOneof("kind") == "string" for entry in message.map.entries)
    )


def record_schema(
    owner: Any, type_name: str, fields: Iterable[RecordField], definitions: Definitions, *, takes_more: bool = False
) -> JsonSchema:
    """Return a reference to the schema of a record; `takes_more`: names beyond the fields are welcome."""

    def make() -> JsonSchema:
        properties = {field.name: _field_schema(field, definitions) for field in fields}
        # Sorted, so that an interface stays the same when the fields of a class change places.
        required = sorted(field.name for field in fields if field.required)
        schema: JsonSchema = {"type": "object", "title": type_name, "properties": properties}
        more: JsonSchema = {"additionalProperties": True} if takes_more else {}
        return {**schema, **more, "required": required} if required else {**schema, **more}

    return definitions.refer(owner, type_name, make)


def _field_schema(field: RecordField, definitions: Definitions) -> JsonSchema:
    schema = field.codec.schema(definitions)
    if field.required or not isinstance(field.default, str | int | float | bool | None):
        return schema
    return {**schema, "default": field.default}


def _parts(message: Value) -> Iterable[value_pb2.NamedValue]:
    if message.WhichOneof("kind") == "struct":
        return message.struct.fields
    return [value_pb2.NamedValue(name=entry.key.string, value=entry.value) for entry in message.map.entries]


def _tolerant(codec: Codec, write_value: Write) -> Write:
    """Return the writer of a field, which takes None even where the annotation does not say so."""
    if codec.accepts_none:
        return write_value

    def write(message: Value, value: Any) -> None:
        if value is None:
            message.none.SetInParent()
        else:
            write_value(message, value)

    return write
