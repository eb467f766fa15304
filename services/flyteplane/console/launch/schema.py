"""From the JSON Schema that is stored with an input to the shape that a form asks for.

Schemas come from users' programs by way of the SDK, and anybody may store one: what is not known becomes free JSON, and
a schema that is damaged, nested too deeply or too large does too. A record inside of itself is free JSON from its
second level on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from flyteplane.console.launch import shapes
from flyteplane.console.launch.shapes import Shape, TextKind, UploadKind

_DEEPEST: Final = 12
#: Parts of one input, however often a definition is used: a few lines of definitions that use each other twice would
#: otherwise be millions.
_MOST_SHAPES: Final = 2000
_TEXTS: Final = {"string": TextKind.STRING, "integer": TextKind.INTEGER, "number": TextKind.NUMBER}
_FORMATS: Final = {
    "date-time": TextKind.DATETIME,
    "date": TextKind.DATE,
    "time": TextKind.TIME,
    "duration": TextKind.DURATION,
    "path": TextKind.PATH,
    "uuid": TextKind.UUID,
    "decimal": TextKind.DECIMAL,
}
_UPLOADS: Final = {"file": UploadKind.FILE, "dir": UploadKind.DIR, "data_frame": UploadKind.DATA_FRAME}
_LITERALS: Final = (str, int, float, bool, type(None))


def shape_of(json_schema: str) -> Shape:
    """The shape of the values of a JSON Schema, given as text; free JSON if the text says nothing usable."""
    try:
        document = json.loads(json_schema or "{}")
    except (ValueError, RecursionError):
        return shapes.Json()
    if not isinstance(document, dict):
        return shapes.Json()
    definitions = document.get("$defs")
    try:
        return _Reader(definitions if isinstance(definitions, dict) else {}).shape(document, inside=())
    except _TooLarge:
        return shapes.Json()


class _TooLarge(Exception):
    """The schema has more parts than a form is made of."""


class _Reader:
    """Reads one document. `inside` are the definitions that are being read, which is how a recursion is seen."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._left = _MOST_SHAPES

    def shape(self, schema: Any, *, inside: tuple[str, ...]) -> Shape:
        self._left -= 1
        if self._left < 0:
            raise _TooLarge
        if not isinstance(schema, dict) or len(inside) > _DEEPEST:
            return shapes.Json()
        if "$ref" in schema:
            return self._defined(str(schema["$ref"]).rpartition("/")[2], inside=inside)
        if isinstance(schema.get("enum"), list):
            return _choice(schema["enum"])
        if isinstance(schema.get("anyOf"), list) and schema["anyOf"]:
            return self._union(schema["anyOf"], inside=(*inside, ""))
        if schema.get("format") == "pickle":
            return shapes.Refused(str(schema.get("title", "object")))
        return self._plain(schema, inside=(*inside, ""))

    def _defined(self, key: str, *, inside: tuple[str, ...]) -> Shape:
        definition = self._definitions.get(key)
        if key in inside or not isinstance(definition, dict):
            return shapes.Json()
        if isinstance(definition.get("enum"), list):
            return _choice(definition["enum"], enum_name=key)
        return self.shape(definition, inside=(*inside, key))

    def _plain(self, schema: Mapping[str, Any], *, inside: tuple[str, ...]) -> Shape:
        match schema.get("type"):
            case "boolean":
                return shapes.Flag()
            case "null":
                return shapes.Nothing()
            case "array":
                return self._array(schema, inside=inside)
            case "object":
                return self._object(schema, inside=inside)
            case "string" if "contentEncoding" in schema:
                return shapes.Text(TextKind.BYTES)
            case "string" if schema.get("format") in _FORMATS:
                return shapes.Text(_FORMATS[schema["format"]])
            case "string" | "integer" | "number" as kind:
                return shapes.Text(_TEXTS[kind])
            case _:
                return shapes.Json()

    def _array(self, schema: Mapping[str, Any], *, inside: tuple[str, ...]) -> Shape:
        prefix = schema.get("prefixItems")
        if isinstance(prefix, list):
            return shapes.Fixed(tuple(self.shape(item, inside=inside) for item in prefix))
        item = self.shape(schema.get("items", {}), inside=inside)
        if isinstance(item, shapes.Json):
            return shapes.Json()
        return shapes.Sequence(item, unique=bool(schema.get("uniqueItems")))

    def _object(self, schema: Mapping[str, Any], *, inside: tuple[str, ...]) -> Shape:
        upload = _UPLOADS.get(str(schema.get("format", "")))
        if upload is not None:
            return shapes.Upload(upload)
        properties = schema.get("properties")
        if isinstance(properties, dict):
            return self._record(schema, properties, inside=inside)
        value = self.shape(schema.get("additionalProperties", {}), inside=inside)
        if isinstance(value, shapes.Json):
            return shapes.Json()
        return shapes.Entries(key=self._key(schema.get("propertyNames"), inside=inside), value=value)

    def _key(self, names: Any, *, inside: tuple[str, ...]) -> Shape:
        if not isinstance(names, dict):
            return shapes.Text(TextKind.STRING)
        if names.get("pattern"):
            return shapes.Text(TextKind.INTEGER)
        key = self.shape(names, inside=inside)
        return key if isinstance(key, shapes.Choice | shapes.Text) else shapes.Text(TextKind.STRING)

    def _record(self, schema: Mapping[str, Any], properties: Mapping[str, Any], *, inside: tuple[str, ...]) -> Shape:
        required = schema.get("required") or ()
        if schema.get("additionalProperties") is True:
            return shapes.Json()
        parts = tuple(
            shapes.Part(
                name=name,
                shape=self.shape(part, inside=inside),
                required=name in required,
                default=part.get("default") if isinstance(part, dict) else None,
                has_default=isinstance(part, dict) and "default" in part,
            )
            for name, part in properties.items()
        )
        return shapes.Record(type_name=str(schema.get("title", "")), parts=parts)

    def _union(self, alternatives: list[Any], *, inside: tuple[str, ...]) -> Shape:
        found: dict[str, Shape] = {}
        for alternative in alternatives:
            shape = self.shape(alternative, inside=inside)
            found.setdefault(self._unused(type_name(shape), found), shape)
        return shapes.Union(tuple(found.items()))

    @staticmethod
    def _unused(name: str, taken: Mapping[str, Shape]) -> str:
        count = 1 + sum(other == name or other.startswith(f"{name}#") for other in taken)
        return name if count == 1 else f"{name}#{count}"


def named_by(shape: Shape, annotation: str) -> Shape:
    """A union whose alternatives have the names of its annotation, which says more than the schema does."""
    if not isinstance(shape, shapes.Union):
        return shape
    names = _alternatives(annotation)
    if len(names) != len(shape.alternatives) or len(set(names)) != len(names):
        return shape
    found = (alternative for _, alternative in shape.alternatives)
    return shapes.Union(tuple(zip(names, found, strict=True)))


def _alternatives(annotation: str) -> list[str]:
    """The parts of an annotation between the bars that stand in no bracket."""
    parts, depth, begin = [], 0, 0
    for index, character in enumerate(annotation):
        depth += (character in "[(") - (character in "])")
        if character == "|" and depth == 0:
            parts.append(annotation[begin:index].strip())
            begin = index + 1
    return [*parts, annotation[begin:].strip()]


def type_name(shape: Shape) -> str:
    """The type as Python writes it: how an alternative of a union is told from the others."""
    match shape:
        case shapes.Text(kind):
            return kind.value
        case shapes.Upload(kind):
            return kind.value
        case shapes.Flag():
            return "bool"
        case shapes.Nothing():
            return "None"
        case shapes.Choice(options=options, enum_name=enum_name):
            return enum_name or f"Literal[{', '.join(map(repr, options))}]"
        case shapes.Record(type_name=name) | shapes.Refused(type_name=name):
            return name
        case shapes.Sequence(item, unique):
            return f"{'set' if unique else 'list'}[{type_name(item)}]"
        case shapes.Fixed(items):
            return f"tuple[{', '.join(map(type_name, items))}]"
        case shapes.Entries(key=key, value=value):
            return f"dict[{type_name(key)}, {type_name(value)}]"
        case shapes.Union(alternatives):
            return " | ".join(name for name, _ in alternatives)
        case shapes.Json():
            return "Any"


def _choice(options: list[Any], *, enum_name: str = "") -> Shape:
    if not options or not all(isinstance(option, _LITERALS) for option in options):
        return shapes.Json()
    return shapes.Choice(options=tuple(options), enum_name=enum_name)
