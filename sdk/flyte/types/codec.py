"""What a codec is: how values of one annotation become messages and come back.

A codec is built once per annotation. Its `write` and `read` are closures with every decision made that the annotation
alone allows, because they run for each input of each task call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flyte.types.mismatch import TypeTransformerFailedError, conversion_error
from flyteapi.task.v1 import value_pb2

Value: TypeAlias = value_pb2.Value
Write: TypeAlias = Callable[[Value, Any], None]
Read: TypeAlias = Callable[[Value], Any]
JsonSchema: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Definitions:
    """The named parts of one JSON Schema document; two classes of one name get different keys."""

    schemas: dict[str, JsonSchema] = field(default_factory=dict)
    keys: dict[Any, str] = field(default_factory=dict)

    def refer(self, owner: Any, name: str, make: Callable[[], JsonSchema]) -> JsonSchema:
        """Return a reference to the schema of `owner`, which is made at the first reference."""
        if owner not in self.keys:
            key, copies = name, 1
            while key in self.schemas:
                copies += 1
                key = f"{name}_{copies}"
            self.keys[owner] = key
            self.schemas[key] = {}
            self.schemas[key] = make()
        return {"$ref": f"#/$defs/{self.keys[owner]}"}


SchemaOf: TypeAlias = Callable[[Definitions], JsonSchema]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Codec:
    """Converts the values of one annotation.

    `write` and `read` are the bare closures: they raise TypeTransformerFailedError and leave naming the variable to
    their caller. `encode` and `decode` are the same for whoever handles one value.
    """

    annotation: Any
    type_name: str
    write: Write
    read: Read
    schema: SchemaOf
    plain: bool = False
    """Whether each message written is its own canonical form, so that its bytes can be digested as they are."""
    exact: type | None = None
    """A union takes this alternative for values of exactly this type before it tries any."""
    accepts_all: bool = False
    """Whether `write` refuses no value at all; a union tries such an alternative last."""
    accepts_none: bool = False
    """Whether None is a value of the annotation."""

    def encode(self, value: Any, *, name: str) -> Value:
        """Return the message of a value. Raises TypeError, which names the variable, if it does not fit."""
        message = value_pb2.Value()
        try:
            self.write(message, value)
        except TypeTransformerFailedError as failure:
            raise conversion_error(name, self.annotation, value, failure) from failure
        return message

    def decode(self, message: Value) -> Any:
        """Return the value of a message. Raises TypeTransformerFailedError, a TypeError, if it is of another type."""
        return self.read(message)

    @property
    def json_schema(self) -> JsonSchema:
        """The JSON Schema (2020-12) of the values in their JSON form."""
        definitions = Definitions()
        schema = self.schema(definitions)
        return {**schema, "$defs": definitions.schemas} if definitions.schemas else schema

    def json_schema_text(self) -> str:
        """The JSON Schema as text, equal for equal schemas."""
        return json.dumps(self.json_schema, sort_keys=True, separators=(",", ":"))


def constant_schema(**keywords: Any) -> SchemaOf:
    """Return the schema of a type that has no parts of its own."""
    return lambda definitions: dict(keywords)


def unwrapped(message: Value) -> Value:
    """Return the message inside any union wrappers."""
    while message.WhichOneof("kind") == "union":
        message = message.union.value
    return message


def unexpected_kind(annotation: Any, message: Value) -> TypeTransformerFailedError:
    """Return the failure of a message that cannot be a value of the annotation."""
    kind = message.WhichOneof("kind") or "nothing"
    return TypeTransformerFailedError(f"Expected a value of type {annotation}, but the value is of kind {kind!r}")
