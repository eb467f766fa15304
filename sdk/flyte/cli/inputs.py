"""The options of a task: one for each input, by its annotation or, for a deployed task, by its JSON Schema."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Callable, Iterable
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from uuid import UUID

import rich_click as click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from flyte.cli.not_readable import NotReadable
from flyte.cli.texts import read_text
from flyte.types.annotations import strip

if TYPE_CHECKING:
    from flyte.authoring.interface import NativeInterface
    from flyteapi.task.v1.interface_pb2 import Interface

PREFIX = "input_"
"""Of the parameter names of inputs, so that no input can take the name of another option."""


class InputType(click.ParamType[Any]):
    """Reads texts with a function that raises NotReadable."""

    def __init__(self, name: str, read: Callable[[str], Any], choices: tuple[str, ...] = ()) -> None:
        self.name = name
        self._read = read
        self._choices = choices

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the choices that begin with what was typed."""
        return [CompletionItem(choice) for choice in self._choices if choice.lower().startswith(incomplete.lower())]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value of a text; anything else was read before."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except NotReadable as error:
            self.fail(f"{error}.", param, ctx)


def options_of(interface: NativeInterface) -> list[click.Option]:
    """Return the options for the inputs of a task of this process."""
    from flyte.authoring.interface import NO_DEFAULT

    described = getattr(interface.docstring, "input_descriptions", None) or {}
    return [
        _option(
            name,
            annotation=annotation,
            type_name=_type_name(annotation),
            required=default is NO_DEFAULT,
            default="" if default is NO_DEFAULT else _shown_default(default),
            help_text=described.get(name) or "",
        )
        for name, (annotation, default) in interface.inputs.items()
    ]


def options_of_schema(interface: Interface) -> list[click.Option]:
    """Return the options for the inputs of a deployed task."""
    from flyte.types.guess import guess_annotation

    return [
        _option(
            parameter.name,
            annotation=(annotation := guess_annotation(parameter.json_schema)),
            type_name=_metavar_of_choices(annotation) or parameter.type_name or "JSON",
            required=parameter.required,
            default="" if parameter.required else _stored_default(parameter.default_value),
            help_text=parameter.description,
        )
        for parameter in interface.inputs
    ]


def given_inputs(ctx: click.Context) -> dict[str, Any]:
    """Return the inputs that stand on the command line, by name."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in ctx.params.items()
        if name.startswith(PREFIX) and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _option(
    name: str, *, annotation: Any, type_name: str, required: bool, default: str, help_text: str
) -> click.Option:
    parameter = PREFIX + name
    fields = _fields_of(annotation)
    parts = (help_text, f"JSON of {fields}." if fields else "", f"[default: {default}]" if default else "")
    shown = " ".join(part for part in parts if part)
    if strip(annotation) is bool:
        flags = [f"--{spelling}/--no-{spelling}" for spelling in dict.fromkeys((name, name.replace("_", "-")))]
        return click.RichOption([*flags, parameter], required=required, help=shown or None)
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
    return click.RichOption(
        [*spellings, parameter],
        type=InputType(type_name, lambda text: read_text(text, annotation), _choices(annotation)),
        metavar=type_name,
        required=required,
        help=shown or None,
    )


def _type_name(annotation: Any) -> str:
    from flyte.types.annotations import describe

    shown = {str: "TEXT", int: "INTEGER", float: "NUMBER"}.get(strip(annotation))
    return shown or _metavar_of_choices(annotation) or describe(annotation)


def _choices(annotation: Any) -> tuple[str, ...]:
    bare = strip(annotation)
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return tuple(bare.__members__)
    if get_origin(bare) is Literal:
        return tuple(choice.name if isinstance(choice, enum.Enum) else str(choice) for choice in get_args(bare))
    return ()


def _metavar_of_choices(annotation: Any) -> str:
    choices = _choices(annotation)
    return f"[{'|'.join(choices)}]" if choices else ""


def _fields_of(annotation: Any) -> str:
    """Return what a record's JSON is made of, for the help; optional fields stand in brackets."""
    bare = strip(annotation)
    if not isinstance(bare, type):
        return ""
    if dataclasses.is_dataclass(bare):
        missing = dataclasses.MISSING
        optional = {
            field.name: field.default is not missing or field.default_factory is not missing
            for field in dataclasses.fields(bare)
            if field.init
        }
    else:
        models = getattr(bare, "model_fields", None) or {}
        optional = {name: not spec.is_required() for name, spec in models.items()}
    return ", ".join(f"[{name}]" if may_miss else name for name, may_miss in optional.items())


def _shown_default(default: Any) -> str:
    if isinstance(default, enum.Enum):
        return default.name
    return str(default) if isinstance(default, timedelta | date | time | PurePath | Decimal | UUID) else repr(default)


def _stored_default(message: bytes) -> str:
    from flyte.types.json_form import NoJsonForm, to_json
    from flyteapi.task.v1.value_pb2 import Value

    try:
        return json.dumps(to_json(Value.FromString(message)), ensure_ascii=False)
    except NoJsonForm:
        return "as deployed"


def names_of(options: Iterable[click.Option]) -> set[str]:
    """Return all spellings of some options."""
    return {spelling for option in options for spelling in (*option.opts, *option.secondary_opts)}
