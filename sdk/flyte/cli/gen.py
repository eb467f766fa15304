"""`flyte gen docs`: what every command says of itself, in one document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import rich_click as click

from flyte.cli.groups import CommandGroup
from flyte.cli.lazy import LazyGroup

_FORMATS: Final = ("markdown", "json")


@click.group(cls=CommandGroup)
def gen() -> None:
    """Write documentation of this command line."""


@gen.command("docs")
@click.option("--type", "form", type=click.Choice(_FORMATS), required=True, help="Form of the document.")
@click.pass_context
def gen_docs(ctx: click.Context, *, form: str) -> None:
    """Print all commands with their arguments and options."""
    described = [_described(path, command) for path, command in commands_below(ctx.find_root().command, ("flyte",))]
    if form == "json":
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(line for one in described for line in _markdown(one)))


def commands_below(command: click.Command, path: Sequence[str]) -> Iterator[tuple[Sequence[str], click.Command]]:
    """Yield a command and all below it, each with the words that it is called by."""
    yield path, command
    if not isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=" ".join(path))
    for name in command.list_commands(context):
        lazy = command.commands_table[name] if isinstance(command, LazyGroup) else None
        child = command.get_command(context, name) if lazy is None else lazy.load()
        if child is not None:
            yield from commands_below(child, (*path, name))


def _described(path: Sequence[str], command: click.Command) -> dict[str, Any]:
    context = click.Context(command, info_name=" ".join(path))
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return {
        "command": " ".join(path),
        "usage": " ".join((*path, *command.collect_usage_pieces(context))),
        "help": "\n".join(line.strip() for line in (command.help or "").splitlines()).strip(),
        "options": [
            {
                "names": [*one.opts, *one.secondary_opts],
                "type": "flag" if one.is_flag else one.make_metavar(context),
                "required": one.required,
                "repeatable": one.multiple,
                "default": _default_of(one),
                "help": one.help or "",
            }
            for one in options
        ],
    }


def _default_of(option: click.Option) -> str | int | float | None:
    """The default where help shows it; others are told in the words of the option."""
    shown = option.show_default and not option.is_flag
    return option.default if shown and isinstance(option.default, str | int | float) else None


def _markdown(described: dict[str, Any]) -> Iterator[str]:
    yield f"## `{described['command']}`"
    yield f"\n```\n{described['usage']}\n```\n"
    yield described["help"] + "\n"
    for option in described["options"]:
        kind = "" if option["type"] == "flag" else f" {option['type']}"
        default = "" if option["default"] is None else f" Default: {option['default']}."
        yield f"* `{', '.join(option['names'])}{kind}` {option['help']}{default}"
    if described["options"]:
        yield ""
