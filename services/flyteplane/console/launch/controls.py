"""From shapes and what their controls hold to what a page draws: a tree of controls, each with its problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flyteplane.console.launch import shapes
from flyteplane.console.launch.schema import type_name
from flyteplane.console.launch.shapes import Shape, TextKind, UploadKind
from flyteplane.console.launch.showing import blank, omittable
from flyteplane.console.launch.state import FormState


@dataclass(frozen=True, slots=True)
class Option:
    """One of the values of a choice."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list (one control) or of a dict (key and value)."""

    id: str
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control, or a group of them. `kind` says how it is drawn; what a kind does not use is empty."""

    kind: str
    name: str
    type_name: str
    label: str = ""
    description: str = ""
    required: bool = False
    value: str = ""
    problem: str = ""
    input_type: str = "text"
    hint: str = ""
    accept: str = ""
    checked: bool = False
    options: tuple[Option, ...] = ()
    children: tuple[Control, ...] = ()
    rows: tuple[Row, ...] = ()
    new_row: Row | None = None
    """What a new row is made of; its id stands for the one that the row will get."""
    quiet: bool = False
    """Its label is for screen readers only: what is around it says enough to those who see."""
    forgotten: str = ""
    """The file or folder that was posted before, which a browser does not keep for a second try."""
    given: bool | None = None
    """Whether a part that may be left out is given; None for one that may not."""

    @property
    def id(self) -> str:
        """The element's id on the page."""
        return f"control-{self.name}"


_HINTS: Final = {
    TextKind.INTEGER: "42",
    TextKind.NUMBER: "0.5",
    TextKind.BYTES: "base64",
    TextKind.DURATION: "1h30m",
    TextKind.PATH: "/data/input.csv",
    TextKind.UUID: "123e4567-e89b-12d3-a456-426614174000",
    TextKind.DECIMAL: "12.50",
}
_INPUT_TYPES: Final = {TextKind.DATETIME: "datetime-local", TextKind.DATE: "date", TextKind.TIME: "time"}
_ACCEPT: Final = {UploadKind.DATA_FRAME: ".parquet,.csv"}


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws one form."""

    state: FormState
    problems: Mapping[str, str] = field(default_factory=dict)

    def control(self, shape: Shape, *, name: str, depth: int = 0, **about: Any) -> Control:
        """The control of a value. `about` are label, description and whether it is required."""
        about = {"type_name": type_name(shape), "problem": self.problems.get(name, ""), "name": name, **about}
        match shape:
            case shapes.Text(kind):
                return self._text(kind, about)
            case shapes.Flag():
                return Control(kind="flag", checked=self.state.has(name), **about)
            case shapes.Choice(options=options):
                return self._choice(options, about)
            case shapes.Upload(kind):
                kind_word = "folder" if kind is UploadKind.DIR else "upload"
                return Control(
                    kind=kind_word,
                    value=self.state.text(name),
                    accept=_ACCEPT.get(kind, ""),
                    forgotten=self.state.files.get(name, ""),
                    **about,
                )
            case shapes.Json():
                return Control(kind="json", value=self.state.text(name), hint='{"key": [1, 2]}', **about)
            case shapes.Nothing():
                return Control(kind="nothing", **about)
            case shapes.Refused():
                return Control(kind="refused", **about)
            case _:
                return self._group(shape, about, depth)

    def _group(self, shape: Shape, about: dict[str, Any], depth: int) -> Control:
        name = str(about["name"])
        match shape:
            case shapes.Record(parts=parts):
                return Control(kind="record", children=tuple(self._part(p, name, depth) for p in parts), **about)
            case shapes.Fixed(items):
                children = tuple(
                    self.control(item, name=f"{name}.{index}", depth=depth, label=str(index + 1), required=True)
                    for index, item in enumerate(items)
                )
                return Control(kind="record", children=children, **about)
            case shapes.Sequence() | shapes.Entries():
                rows = tuple(Row(row, self._row(shape, f"{name}.{row}", depth)) for row in self.state.rows(name))
                return Control(kind="rows", rows=rows, new_row=self._new_row(shape, name, depth), **about)
            case shapes.Union():
                return self._union(shape, about, depth)
            case _:
                raise AssertionError(shape)

    def _text(self, kind: TextKind, about: dict[str, Any]) -> Control:
        name, value = str(about["name"]), self.state.text(str(about["name"]))
        if kind in (TextKind.STRING, TextKind.BYTES):
            return Control(kind="text", value=value, hint=_HINTS.get(kind, ""), **about)
        if kind is TextKind.DATETIME:
            return Control(
                kind="moment", value=value, input_type=_INPUT_TYPES[kind], options=self._zones(name), **about
            )
        return Control(
            kind="line", value=value, input_type=_INPUT_TYPES.get(kind, "text"), hint=_HINTS.get(kind, ""), **about
        )

    def _zones(self, name: str) -> tuple[Option, ...]:
        zone = self.state.text(f"{name}.zone")
        offered = {"": "without a zone", "+00:00": "UTC"}
        if zone not in offered:
            offered[zone] = f"UTC{zone}"
        return tuple(Option(value, label, value == zone) for value, label in offered.items())

    def _choice(self, options: tuple[Any, ...], about: dict[str, Any]) -> Control:
        chosen = self.state.text(str(about["name"]))
        shown = tuple(
            Option(str(index), option if isinstance(option, str) else repr(option), str(index) == chosen)
            for index, option in enumerate(options)
        )
        return Control(kind="choice", options=shown, **about)

    def _part(self, part: shapes.Part, name: str, depth: int) -> Control:
        control = f"{name}.{part.name}"
        drawn = self.control(part.shape, name=control, depth=depth, label=part.name, required=part.required)
        return replace(drawn, given=self.state.has(f"{control}.given")) if omittable(part) else drawn

    def _row(self, shape: Shape, name: str, depth: int) -> tuple[Control, ...]:
        if isinstance(shape, shapes.Entries):
            return (
                self.control(shape.key, name=f"{name}.key", depth=depth + 1, label="Key", required=True),
                self.control(shape.value, name=f"{name}.value", depth=depth + 1, label="Value", required=True),
            )
        assert isinstance(shape, shapes.Sequence)
        return (self.control(shape.item, name=name, depth=depth + 1, label="Item", required=True, quiet=True),)

    def _new_row(self, shape: Shape, name: str, depth: int) -> Row:
        placeholder = f"__NEW{depth}__"
        assert isinstance(shape, shapes.Entries | shapes.Sequence)
        inner = shape.value if isinstance(shape, shapes.Entries) else shape.item
        place = f"{name}.{placeholder}.value" if isinstance(shape, shapes.Entries) else f"{name}.{placeholder}"
        fresh = Drawing(blank(inner, name=place))
        return Row(placeholder, fresh._row(shape, f"{name}.{placeholder}", depth))

    def _union(self, shape: shapes.Union, about: dict[str, Any], depth: int) -> Control:
        name = str(about["name"])
        if shape.blank_is_none and shape.optional is not None:
            kept = {key: value for key, value in about.items() if key not in ("name", "required", "problem")}
            inner = self.control(shape.optional, name=name, depth=depth, **kept)
            return replace(inner, hint=inner.hint and f"{inner.hint}, or empty for None")
        chosen = self.state.text(f"{name}.as") or "0"
        children, options = [], []
        for index, (title, alternative) in enumerate(shape.alternatives):
            place = f"{name}.{index}"
            selected = str(index) == chosen
            drawing = self if selected else Drawing(blank(alternative, name=place))
            children.append(
                drawing.control(alternative, name=place, depth=depth, label=title, required=True, quiet=True)
            )
            options.append(Option(str(index), title, selected))
        return Control(kind="union", options=tuple(options), children=tuple(children), **about)
