"""Groups of commands whose modules are loaded when a command runs, so that `flyte --help` stays quick.

Help needs no more than one line for each command; that line stands in the group's table, and a test compares it with
what the command says of itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rich_click as click

from flyte.cli.groups import CommandGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is, and its one line of help."""

    target: str
    """"module:attribute"."""

    help: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(CommandGroup):
    """A group over a table of lazy commands."""

    def __init__(self, *args: Any, commands_table: Mapping[str, LazyCommand], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_table = dict(commands_table)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.commands_table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a placeholder that can be listed, or None for an unknown name."""
        lazy = self.commands_table.get(cmd_name)
        return None if lazy is None else click.RichCommand(name=cmd_name, help=lazy.help)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command itself, loaded; an unknown name is an error that suggests the nearest."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        if name is None or placeholder is None:
            return name, placeholder, rest
        return name, self.commands_table[name].load(), rest
