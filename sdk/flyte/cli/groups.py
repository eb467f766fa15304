"""Groups of commands that know what somebody may have meant: a name that is near, or a command of the peer SDK."""

from __future__ import annotations

import difflib
from typing import Final

import rich_click as click
from click.exceptions import NoSuchCommand

_NO_APPS: Final = "Apps are not part of this platform: it runs tasks to their end."
_NO_ARTIFACTS: Final = (
    "Artifacts are not part of this platform. Pass a flyte.io.File or Dir from task to task; `flyte get io RUN` shows "
    "where those of a run are kept."
)
_NO_SETTINGS: Final = (
    "There are no settings of a project beside those of its tasks and queues: see `flyte get queue`, "
    "`flyte get resource-class` and the operator's file."
)
_DEVBOX: Final = "The platform of this machine is one process: `flyte up` starts it, `flyte down` stops it"

#: What the peer SDK has and this one has not, by the words after `flyte`, with what to do.
ABSENT: Final = {
    "create artifact": _NO_ARTIFACTS,
    "delete app": _NO_APPS,
    "delete devbox": f"{_DEVBOX}, and what it keeps is the folder that `flyte up` names.",
    "edit": _NO_SETTINGS,
    "get app": _NO_APPS,
    "get artifact": _NO_ARTIFACTS,
    "get devbox": f"{_DEVBOX}, `flyte doctor` looks whether all is well.",
    "get settings": _NO_SETTINGS,
    "prefetch": "Load the model in a task, with cache='auto', and return its folder as a flyte.io.Dir.",
    "proxy": _NO_APPS,
    "serve": _NO_APPS,
    "start": f"{_DEVBOX}. `flyte console` says where to look at it.",
    "stop": f"{_DEVBOX}; what ran goes on when it is started again.",
    "update app": _NO_APPS,
}


class CommandGroup(click.RichGroup):
    """A group that helps whoever gives a name that is none of its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command. Raises UsageError that says what to do, and for what is just unknown what is near."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand:
            words = f"{ctx.command_path} {args[0]}"
            instead = ABSENT.get(words.partition(" ")[2])
            if instead is not None:
                raise click.UsageError(f"There is no `{words}`. {instead}", ctx) from None
            known = self.list_commands(ctx)
            if ctx.parent is None or difflib.get_close_matches(args[0], known):
                raise NoSuchCommand(args[0], possibilities=known, ctx=ctx) from None
            raise click.UsageError(
                f"There is no `{words}`. After `{ctx.command_path}` comes what it is about: {', '.join(known)}.", ctx
            ) from None
