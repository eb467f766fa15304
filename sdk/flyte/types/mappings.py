"""Codecs of dicts with keys and values of any types. Entries keep their order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, get_args, get_origin

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, Definitions, JsonSchema, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, shown, wrong_type
from flyte.types.pickles import read_other

WHOLE_NUMBER: Final = "^-?[0-9]+$"
"""The pattern of keys that are ints."""


def build_mapping(annotation: Any, of: Callable[[Any], Codec]) -> Codec | None:
    """Return the codec of a dict or OrderedDict, bare or with the types of its keys and values."""
    bare = strip(annotation)
    container = get_origin(bare) or bare
    if container is not dict and container is not OrderedDict:
        return None
    arguments = get_args(bare) or (Any, Any)
    key, value = of(arguments[0]), of(arguments[1])
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, key.write, value.write),
        read=_reader(annotation, container, _key_reader(key), value.read),
        schema=lambda definitions: _schema(key, value, definitions),
        exact=container if bare is container else None,
    )


def _writer(annotation: Any, write_key: Write, write_value: Write) -> Write:
    def write(message: Value, value: Any) -> None:
        if not isinstance(value, dict):
            raise wrong_type(annotation, value)
        message.map.SetInParent()
        add = message.map.entries.add
        key: Any = None
        try:
            for key, element in value.items():
                entry = add()
                write_key(entry.key, key)
                write_value(entry.value, element)
        except TypeTransformerFailedError as failure:
            raise failure.inside(f"[{shown(key)}]") from None

    return write


def _reader(annotation: Any, container: Any, read_key: Read, read_value: Read) -> Read:
    def read(message: Value) -> Any:
        kind = message.WhichOneof("kind")
        if kind == "map":
            return container((read_key(entry.key), read_value(entry.value)) for entry in message.map.entries)
        if kind == "struct":
            return container((part.name, read_value(part.value)) for part in message.struct.fields)
        return read_other(annotation, message, read)

    return read


def _key_reader(key: Codec) -> Read:
    """Return the reader of keys. JSON has texts for keys only, so a number may be written as one."""
    number = key.exact if key.exact in (int, float) else None
    if number is None:
        return key.read

    def read(message: Value) -> Any:
        if message.WhichOneof("kind") != "string":
            return key.read(message)
        try:
            return number(message.string)
        except ValueError:
            return key.read(message)

    return read


def _schema(key: Codec, value: Codec, definitions: Definitions) -> JsonSchema:
    schema: JsonSchema = {"type": "object", "additionalProperties": value.schema(definitions)}
    if key.exact is str or (key.annotation is Any and value.annotation is Any):
        return schema
    return {**schema, "propertyNames": _names(key, definitions)}


def _names(key: Codec, definitions: Definitions) -> JsonSchema:
    """Return the schema of the keys, which in JSON are texts; keys that are none there admit any."""
    if key.exact is int:
        return {"pattern": WHOLE_NUMBER}
    schema = key.schema(definitions)
    return schema if schema.get("type") == "string" or "$ref" in schema else {}
