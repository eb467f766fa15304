"""The inputs of a task as a form: drawn from the stored interface, read back to what a run is given.

An input that stands in the form as it was given to an earlier run, or as the task's default, keeps the very value that
is stored: what a form cannot show, such as a pickle, survives a rerun unharmed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import DecodeError

from flyteapi.task.v1.interface_pb2 import Interface, Parameter
from flyteapi.task.v1.value_pb2 import NamedValues, Value
from flyteplane.console.launch import shapes
from flyteplane.console.launch.controls import Control, Drawing
from flyteplane.console.launch.reading import Reading, StoredFile
from flyteplane.console.launch.schema import named_by, shape_of
from flyteplane.console.launch.shapes import Shape, UploadKind
from flyteplane.console.launch.showing import blank, shown
from flyteplane.console.launch.state import FormState
from flyteplane.console.launch.trees import NotShown, tree_of

PREFIX: Final = "inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of the form."""

    name: str
    type_name: str
    description: str
    required: bool
    shape: Shape
    original: Value | None
    """What the earlier run had, or the default; None if neither is there."""
    kept: str = ""
    """Why the original is not shown and can only be kept; empty if it is shown."""
    shown: FormState = field(default_factory=FormState)
    """What the controls hold at first."""

    @property
    def control(self) -> str:
        """Name of its control."""
        return f"{PREFIX}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a post comes to: values, or problems by control."""

    values: NamedValues
    problems: Mapping[str, str]


class LaunchForm:
    """The form of one task.

    Args:
        interface: as stored with the task.
        given: inputs of the earlier run that is run again; None for a new run.
    """

    def __init__(self, interface: Interface, *, given: NamedValues | None = None) -> None:
        before = {named.name: named.value for named in given.values} if given is not None else {}
        self.inputs = tuple(_input(parameter, before.get(parameter.name)) for parameter in interface.inputs)

    @property
    def first(self) -> FormState:
        """What the form holds when it is opened."""
        values: dict[str, tuple[str, ...]] = {}
        for each in self.inputs:
            values.update(each.shown.values)
        return FormState(values)

    def draw(self, state: FormState, problems: Mapping[str, str]) -> list[Control]:
        """The controls, one for each input, with what they hold and what is wrong with it."""
        return [self._control(each, Drawing(state, problems)) for each in self.inputs]

    def uploads(self, state: FormState) -> Iterator[tuple[str, UploadKind]]:
        """Controls of this form that files were posted with, and what these are to be."""
        for each in self.inputs:
            for name in state.files if not each.kept else ():
                if kind := _upload_at(each.shape, each.control, name):
                    yield name, kind

    def read(self, state: FormState, *, stored: Mapping[str, StoredFile] | None = None) -> Answer:
        """The inputs that a post means. Files are only checked as long as they are not among `stored`."""
        reading = Reading(state, stored or {})
        values = NamedValues()
        for each in self.inputs:
            value = _read(each, reading)
            if value is not None:
                values.values.add(name=each.name).value.CopyFrom(value)
        return Answer(values=values, problems=reading.problems)

    @staticmethod
    def _control(each: Input, drawing: Drawing) -> Control:
        about: dict[str, Any] = {"label": each.name, "description": each.description, "required": each.required}
        if each.kept:
            return Control(kind="kept", name=each.control, type_name=each.type_name, value=each.kept, **about)
        return drawing.control(each.shape, name=each.control, **{**about, "type_name": each.type_name})


def _input(parameter: Parameter, before: Value | None) -> Input:
    shape = named_by(shape_of(parameter.json_schema), parameter.type_name)
    original = before if before is not None else _default(parameter)
    kept, state = _first(shape, original, name=f"{PREFIX}.{parameter.name}")
    if original is None and not parameter.required:
        kept = "Left to the task's default."
    return Input(
        name=parameter.name,
        type_name=parameter.type_name,
        description=parameter.description,
        required=parameter.required,
        shape=shape,
        original=original,
        kept=kept,
        shown=state,
    )


def _first(shape: Shape, original: Value | None, *, name: str) -> tuple[str, FormState]:
    if original is None:
        return "", blank(shape, name=name)
    try:
        return "", shown(shape, tree_of(original), name=name)
    except NotShown as reason:
        return str(reason), FormState()


def _default(parameter: Parameter) -> Value | None:
    if parameter.required or not parameter.default_value:
        return None
    try:
        return Value.FromString(parameter.default_value)
    except DecodeError:
        return None


def _read(each: Input, reading: Reading) -> Value | None:
    """The value of an input; None if the task's own default is to hold."""
    if each.kept:
        return each.original
    if each.original is not None and reading.state.below(each.control) == each.shown:
        return each.original
    value = reading.value(each.shape, name=each.control)
    if each.original is None:
        return value
    as_shown = Reading(each.shown).value(each.shape, name=each.control)
    return each.original if value == as_shown else value


def _upload_at(shape: Shape, control: str, name: str) -> UploadKind | None:
    """What the control `name` takes an upload of, if it lies inside `control`; None if it takes none."""
    if not (name == control or name.startswith(f"{control}.")):
        return None
    match shape:
        case shapes.Upload(kind):
            return kind if name == control else None
        case shapes.Union(alternatives) if shape.blank_is_none:
            inside = [(alternative, control) for _, alternative in alternatives]
        case shapes.Record(parts=parts):
            inside = [(part.shape, f"{control}.{part.name}") for part in parts]
        case shapes.Fixed(items):
            inside = [(item, f"{control}.{index}") for index, item in enumerate(items)]
        case shapes.Union(alternatives):
            inside = [(alternative, f"{control}.{index}") for index, (_, alternative) in enumerate(alternatives)]
        case shapes.Sequence(item):
            inside = [(item, f"{control}.{_first_part(name, below=control)}")]
        case shapes.Entries(value=value):
            inside = [(value, f"{control}.{_first_part(name, below=control)}.value")]
        case _:
            inside = []
    return next(filter(None, (_upload_at(each, place, name) for each, place in inside)), None)


def _first_part(name: str, *, below: str) -> str:
    return name.removeprefix(f"{below}.").partition(".")[0]
