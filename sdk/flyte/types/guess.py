"""From a JSON Schema back to an annotation, for a task that is known by its stored interface only.

Records come back as TypedDicts whose values have attributes as well, enums as Literals of their names: equal in their
JSON form and on the wire, without the classes of the program that declared them.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, Required, TypedDict, Union
from uuid import UUID

from flyte.types.mappings import WHOLE_NUMBER
from flyte.types.named_records import RECORD_CLASS
from flyte.types.stored_record import StoredRecord

if TYPE_CHECKING:
    from flyte.authoring.interface import NativeInterface
    from flyteapi.task.v1.interface_pb2 import Interface

_SCALARS: Final[dict[str, Any]] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
}
_FORMATS: Final[dict[str, Any]] = {
    "date-time": datetime,
    "date": date,
    "time": time,
    "duration": timedelta,
    "path": Path,
    "uuid": UUID,
    "decimal": Decimal,
}
_REFERENCES: Final = {"file": "File", "dir": "Dir", "data_frame": "DataFrame"}


def guess_annotation(schema: Mapping[str, Any] | str) -> Any:
    """Return an annotation whose values have a JSON Schema, which may be given as text; Any where it says nothing."""
    document = json.loads(schema or "{}") if isinstance(schema, str) else schema
    return _Guess(document.get("$defs", {})).of(document)


def guess_interface(interface: Interface, default_inputs: Iterable[Any] | None = None) -> NativeInterface:
    """Return the interface of a task from what is stored of it.

    `default_inputs` are messages with `name` and `value` that stand in for stored defaults.
    """
    from flyte.authoring.interface import NO_DEFAULT, NativeInterface
    from flyte.types.codecs import codec_for
    from flyteapi.task.v1.value_pb2 import Value

    given = {named.name: named.value for named in default_inputs or ()}
    inputs: dict[str, tuple[Any, Any]] = {}
    for parameter in interface.inputs:
        annotation, default = guess_annotation(parameter.json_schema), NO_DEFAULT
        if parameter.name in given or not parameter.required:
            message = given.get(parameter.name) or Value.FromString(parameter.default_value)
            default = codec_for(annotation).decode(message)
        inputs[parameter.name] = (annotation, default)
    outputs = {parameter.name: guess_annotation(parameter.json_schema) for parameter in interface.outputs}
    return NativeInterface.from_types(inputs, outputs)


class _Guess:
    """One schema document; each record of it is guessed once, and a record inside itself is Any there."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._made: dict[str, Any] = {}

    def of(self, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            return self._defined(str(schema["$ref"]).rpartition("/")[2])
        if "enum" in schema:
            return Literal[tuple(schema["enum"])]
        if "anyOf" in schema:
            return Union[tuple(self.of(alternative) for alternative in schema["anyOf"])]  # noqa: UP007
        kind = schema.get("type")
        if kind == "array":
            return self._sequence(schema)
        if kind == "object":
            return self._mapping(schema)
        return self._scalar(schema)

    def _defined(self, key: str) -> Any:
        if key not in self._made:
            self._made[key] = Any
            self._made[key] = self.of(self._definitions.get(key, {}))
        return self._made[key]

    def _scalar(self, schema: Mapping[str, Any]) -> Any:
        if "contentEncoding" in schema:
            return bytes
        if schema.get("type") == "string" and schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        kind = schema.get("type")
        return _SCALARS.get(kind, Any) if isinstance(kind, str) else Any

    def _sequence(self, schema: Mapping[str, Any]) -> Any:
        if "prefixItems" in schema:
            return tuple.__class_getitem__(tuple(self.of(item) for item in schema["prefixItems"]))
        item = self.of(schema.get("items", {}))
        # typing's own forms, and not the classes with brackets, which are not equal to them.
        return set[item] if schema.get("uniqueItems") else typing.List[item]  # type: ignore[valid-type]  # noqa: UP006

    def _key(self, schema: Mapping[str, Any]) -> Any:
        names = schema.get("propertyNames")
        if names is None:
            return str
        return int if names.get("pattern") == WHOLE_NUMBER else self.of(names)

    def _mapping(self, schema: Mapping[str, Any]) -> Any:
        reference = _REFERENCES.get(schema.get("format", ""))
        if reference is not None:
            from flyte import io

            return getattr(io, reference)
        if "properties" not in schema:
            key, value = self._key(schema), self.of(schema.get("additionalProperties", {}))
            return dict if key is str and value is Any else typing.Dict[key, value]  # type: ignore[valid-type]  # noqa: UP006
        required = schema.get("required", ())
        fields: dict[str, Any] = {
            name: Required[self.of(part)] if name in required else NotRequired[self.of(part)]
            for name, part in schema["properties"].items()
        }
        record = _typed_dict(str(schema.get("title", "Record")), fields)
        setattr(record, RECORD_CLASS, StoredRecord)
        return record


def _typed_dict(name: str, fields: dict[str, Any]) -> Any:
    return TypedDict(name, fields)  # type: ignore[operator]  # checkers know no fields that are found
