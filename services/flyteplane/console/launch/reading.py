"""From what was posted to typed values, or to problems at their controls.

Values are written as the SDK writes them, so that a run from the form has the same inputs digest as one from Python:
it finds the same cached results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from flyte.spec.digests import canonical_bytes
from flyteapi.task.v1.value_pb2 import Reference, Value
from flyteplane.console.launch import shapes
from flyteplane.console.launch.free_json import write_json, write_natural
from flyteplane.console.launch.shapes import Shape, TextKind, UploadKind
from flyteplane.console.launch.showing import omittable
from flyteplane.console.launch.state import MOST_ROWS, FormState
from flyteplane.console.launch.texts import NotReadable, write_text

_REFERENCES: Final = {
    UploadKind.FILE: Reference.TYPE_FILE,
    UploadKind.DIR: Reference.TYPE_DIR,
    UploadKind.DATA_FRAME: Reference.TYPE_DATA_FRAME,
}
_FRAME_FORMATS: Final = {".parquet": "parquet", ".csv": "csv"}
_NOTHING_GIVEN: Final = {
    UploadKind.FILE: "Choose a file, or give its address.",
    UploadKind.DIR: "Choose a folder or files, or give the address of a folder.",
    UploadKind.DATA_FRAME: "Choose a .parquet or .csv file, or give its address.",
}
_SCHEMES: Final = ("file://", "s3://", "gs://", "abfs://", "https://", "http://", "flyte-object://")
_PACKED: Final = {"int": "ints", "float": "floats", "string": "strings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A posted file or folder that is in the object store now."""

    uri: str
    name: str
    size_bytes: int
    hash: str = ""
    """Of the content, where the address does not hold it already."""


@dataclass(slots=True)
class Reading:
    """Reads one post. `stored` are the files that were uploaded, by control; others are only checked."""

    state: FormState
    stored: Mapping[str, StoredFile] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """What has to be mended, by control."""

    def value(self, shape: Shape, *, name: str) -> Value:
        """The value at a control. Problems are noted, and what is returned then means nothing."""
        message = Value()
        try:
            self._write(message, shape, name)
        except NotReadable as problem:
            self.problems[name] = str(problem)
        return message

    def _write(self, message: Value, shape: Shape, name: str) -> None:
        match shape:
            case shapes.Text(kind):
                write_text(message, self._text(kind, name), kind)
            case shapes.Flag():
                message.bool = self.state.has(name)
            case shapes.Nothing():
                message.none.SetInParent()
            case shapes.Choice():
                self._choice(message, shape, name)
            case shapes.Upload(kind):
                self._upload(message, kind, name)
            case shapes.Json():
                write_json(message, self.state.text(name))
            case shapes.Refused(type_name):
                raise NotReadable(f"A {type_name} can only be made by a Python program: start this task from there.")
            case shapes.Record():
                self._record(message, shape, name)
            case shapes.Sequence(item, unique):
                self._sequence(message, item, name, unique=unique)
            case shapes.Fixed(items):
                self._fixed(message, items, name)
            case shapes.Entries():
                self._entries(message, shape, name)
            case shapes.Union():
                self._union(message, shape, name)

    def _text(self, kind: TextKind, name: str) -> str:
        text = self.state.text(name)
        return f"{text.strip()}{self.state.text(f'{name}.zone')}" if text and kind is TextKind.DATETIME else text

    def _choice(self, message: Value, shape: shapes.Choice, name: str) -> None:
        chosen = self.state.text(name)
        if not chosen.isdecimal() or int(chosen) >= len(shape.options):
            raise NotReadable("Choose one.")
        option = shape.options[int(chosen)]
        if shape.enum_name and isinstance(option, str):
            message.enum_name = option
        else:
            write_natural(message, option)

    def _upload(self, message: Value, kind: UploadKind, name: str) -> None:
        stored, file, uri = self.stored.get(name), self.state.files.get(name, ""), self.state.text(name).strip()
        if stored is None and not file and not uri:
            raise NotReadable(_NOTHING_GIVEN[kind])
        if not file and not uri.startswith(_SCHEMES):
            raise NotReadable(f"An address starts with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}.")
        reference = message.reference
        reference.type = _REFERENCES[kind]
        reference.uri = stored.uri if stored is not None else uri
        reference.name = stored.name if stored is not None else ""
        reference.size_bytes = stored.size_bytes if stored is not None else -1
        reference.hash = stored.hash if stored is not None else ""
        if kind is UploadKind.DATA_FRAME:
            reference.format = _frame_format(file or uri, uploaded=bool(file))

    def _record(self, message: Value, shape: shapes.Record, name: str) -> None:
        message.struct.type_name = shape.type_name
        for part in shape.parts:
            control = f"{name}.{part.name}"
            if omittable(part) and not self.state.has(f"{control}.given"):
                continue
            message.struct.fields.add(name=part.name).value.CopyFrom(self.value(part.shape, name=control))

    def _sequence(self, message: Value, item: Shape, name: str, *, unique: bool) -> None:
        items = [self.value(item, name=f"{name}.{row}") for row in self._rows(name)]
        if unique:
            items = _unique(items)
        kinds = {value.WhichOneof("kind") for value in items}
        packed = _PACKED.get(kinds.pop() or "") if len(kinds) == 1 else _empty_pack(item) if not items else None
        if packed is None:
            message.list.SetInParent()
            message.list.items.extend(items)
            return
        target = getattr(message, packed)
        target.SetInParent()
        target.items.extend(getattr(value, value.WhichOneof("kind") or "") for value in items)

    def _fixed(self, message: Value, items: tuple[Shape, ...], name: str) -> None:
        message.struct.type_name = "tuple"
        for index, item in enumerate(items):
            message.struct.fields.add(name=f"item_{index}").value.CopyFrom(self.value(item, name=f"{name}.{index}"))

    def _entries(self, message: Value, shape: shapes.Entries, name: str) -> None:
        message.map.SetInParent()
        seen: set[bytes] = set()
        for row in self._rows(name):
            key_name = f"{name}.{row}.key"
            entry = message.map.entries.add()
            entry.key.CopyFrom(self.value(shape.key, name=key_name))
            entry.value.CopyFrom(self.value(shape.value, name=f"{name}.{row}.value"))
            known = entry.key.SerializeToString()
            if known in seen and key_name not in self.problems:
                self.problems[key_name] = "This key is there already."
            seen.add(known)

    def _union(self, message: Value, shape: shapes.Union, name: str) -> None:
        if shape.blank_is_none and shape.optional is not None:
            given = self.state.text(name).strip() or name in self.state.files
            wanted = shape.optional if given else shapes.Nothing()
            index, control = [other for _, other in shape.alternatives].index(wanted), name
        else:
            chosen = self.state.text(f"{name}.as")
            if not chosen.isdecimal() or int(chosen) >= len(shape.alternatives):
                raise NotReadable("Choose what kind of value to give.")
            index, control = int(chosen), f"{name}.{chosen}"
        type_name, alternative = shape.alternatives[index]
        message.union.alternative = type_name
        message.union.value.CopyFrom(self.value(alternative, name=control))

    def _rows(self, name: str) -> tuple[str, ...]:
        rows = self.state.rows(name)
        if len(rows) > MOST_ROWS:
            raise NotReadable(f"At most {MOST_ROWS} rows in a form; start this task from Python to give more.")
        return rows


def _frame_format(name: str, *, uploaded: bool) -> str:
    ending = PurePath(name).suffix.lower()
    if uploaded and ending not in _FRAME_FORMATS:
        raise NotReadable("A table is a file that ends in .parquet or .csv.")
    return _FRAME_FORMATS.get(ending, "parquet")


def _empty_pack(item: Shape) -> str | None:
    """How an empty list travels: as one with items would."""
    match item:
        case shapes.Text(TextKind.INTEGER):
            return "ints"
        case shapes.Text(TextKind.NUMBER):
            return "floats"
        case shapes.Text(TextKind.STRING):
            return "strings"
        case _:
            return None


def _unique(items: list[Value]) -> list[Value]:
    """The items of a set, in the order in which sets travel."""
    found = {canonical_bytes(value): value for value in items}
    values = list(found.values())
    kinds = {value.WhichOneof("kind") for value in values}
    if len(kinds) == 1 and (kind := kinds.pop()) in _PACKED:
        return sorted(values, key=lambda value: _nan_last(getattr(value, kind)))
    return [found[key] for key in sorted(found)]


def _nan_last(element: object) -> tuple[bool, object]:
    return (True, 0.0) if element != element else (False, element)
