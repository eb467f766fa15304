"""The options of a task: one for each input, by its annotation or, for a deployed task, by its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.core import ParameterSource

from flyte.cli.texts import NotReadable, is_union, read_text, strip_annotated

if TYPE_CHECKING:
    from flyte.authoring.interface import NativeInterface
    from flyteapi.task.v1.interface_pb2 import Interface

PREFIX = "input_"
"""Of the parameter names of inputs, so that no input can take the name of another option."""


class InputType(click.ParamType[Any]):
    """Reads texts with a function that raises NotReadable."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

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
            type_name=_type_name(annotation),
            read=lambda text, annotation=annotation: read_text(text, annotation),  # type: ignore[misc]
            is_flag=strip_annotated(annotation) is bool,
            required=default is NO_DEFAULT,
            default="" if default is NO_DEFAULT else repr(default),
            help_text=described.get(name) or "",
        )
        for name, (annotation, default) in interface.inputs.items()
    ]


def options_of_schema(interface: Interface) -> list[click.Option]:
    """Return the options for the inputs of a deployed task."""
    return [
        _option(
            parameter.name,
            type_name=parameter.type_name or "JSON",
            read=_schema_reader(parameter.json_schema),
            is_flag=json.loads(parameter.json_schema or "{}").get("type") == "boolean",
            required=parameter.required,
            default="" if parameter.required else "as deployed",
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
    name: str,
    *,
    type_name: str,
    read: Callable[[str], Any],
    is_flag: bool,
    required: bool,
    default: str,
    help_text: str,
) -> click.Option:
    parameter = PREFIX + name
    shown = " ".join(part for part in (help_text, f"[default: {default}]" if default else "") if part)
    if is_flag:
        flags = [f"--{spelling}/--no-{spelling}" for spelling in dict.fromkeys((name, name.replace("_", "-")))]
        return click.RichOption([*flags, parameter], required=required, help=shown or None)
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
    return click.RichOption(
        [*spellings, parameter],
        type=InputType(type_name, read),
        metavar=type_name,
        required=required,
        help=shown or None,
    )


def _type_name(annotation: Any) -> str:
    bare = strip_annotated(annotation)
    if is_union(bare) or not isinstance(bare, type):
        return str(bare).replace("typing.", "")
    return {str: "TEXT", int: "INTEGER", float: "NUMBER"}.get(bare, bare.__name__)


_BY_SCHEMA: dict[str, Any] = {"integer": int, "number": float, "string": str, "boolean": bool}


def _schema_reader(schema: str) -> Callable[[str], Any]:
    kind = json.loads(schema or "{}").get("type")
    annotation = _BY_SCHEMA.get(kind) if isinstance(kind, str) else None
    if annotation is not None:
        return lambda text: read_text(text, annotation)
    return lambda text: read_text(text, Any)


def names_of(options: Iterable[click.Option]) -> set[str]:
    """Return all spellings of some options."""
    return {spelling for option in options for spelling in (*option.opts, *option.secondary_opts)}
