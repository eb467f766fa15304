"""Options of the peer SDK's command line that ask for what is not done here: refused, with what to do instead.

None is passed over in silence: whoever gives one would otherwise believe that it has an effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])

_CREDENTIALS: Final = (
    "Give an API key (FLYTE_API_KEY, or admin.apiKeyFile of the configuration; `flyte create api-key` makes one), or "
    "with admin.command a program that prints a token of your identity provider"
)


def refused_option(*spellings: str, instead: str, is_flag: bool = True, hidden: bool = True) -> click.Option:
    """Return an option that cannot be given; `instead` says what to do."""

    def refuse(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            raise click.UsageError(f"{spellings[0]} is not supported. {instead}")

    return click.RichOption(
        [*spellings],
        is_flag=is_flag,
        default=None,
        callback=refuse,
        expose_value=False,
        hidden=hidden,
        help=f"Not supported. {instead}",
    )


def refuse_option(*spellings: str, instead: str, is_flag: bool = True) -> Callable[[Command], Command]:
    """Add an option to a command that cannot be given; `instead` says what to do."""
    option = refused_option(*spellings, instead=instead, is_flag=is_flag)

    def add(command: Command) -> Command:
        parameters = getattr(command, "__click_params__", None)
        if parameters is None:
            parameters = []
            command.__click_params__ = parameters  # type: ignore[attr-defined]  # where click keeps them, until a command is made
        parameters.append(option)
        return command

    return add


def auth_type_option(command: Command) -> Command:
    """Add --auth-type, of which only the word that says nothing is taken."""

    def check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None and value.lower() != "pkce":
            raise click.UsageError(f"--auth-type {value}: this platform has no such login. {_CREDENTIALS}.")

    help = f"Only pkce, which changes nothing. {_CREDENTIALS}."
    return click.option("--auth-type", metavar="TYPE", callback=check, expose_value=False, help=help)(command)


def cluster_pool_option(command: Command) -> Command:
    """Add --cluster-pool to a command about secrets, which is refused."""
    instead = (
        "Secrets belong to a project, a domain, both or the organisation: give --project and --domain, or neither."
    )
    return refuse_option("--cluster-pool", instead=instead, is_flag=False)(command)
