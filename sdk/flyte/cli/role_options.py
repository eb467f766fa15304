"""What the commands of keys and roles have in common: the role, how long, and how a role is told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import rich_click as click
from click import Context, Parameter, ParamType

from flyte.cli.options import scope_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from flyteapi.admin.v1.identity_service_pb2 import Grant

    Command = TypeVar("Command", bound=Callable[..., Any])

ROLES: Final = ("viewer", "runner", "operator", "admin")
_ROLE_HELP: Final = (
    "viewer reads, runner also submits, aborts and deploys, operator also changes queues and secrets, admin everything."
)
_SPAN: Final = re.compile(r"(\d+)([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class SpanType(ParamType[timedelta]):
    """A span of time such as 12h, 90d or 4w."""

    name = "span"

    def convert(self, value: object, param: Parameter | None, ctx: Context | None) -> timedelta:
        """See click."""
        if isinstance(value, timedelta):
            return value
        found = _SPAN.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no span of time: give for example 12h, 90d or 4w.", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


SPAN: Final = SpanType()


def grant_options(command: Command) -> Command:
    """Add --role and the scope in which it holds; without a scope it holds everywhere."""
    option = click.option("--role", type=click.Choice(ROLES), required=True, help=_ROLE_HELP)
    return option(scope_options(command))


def grant_message(role: str, project: str | None, domain: str | None) -> Grant:
    """Return a role in a scope as a message."""
    from flyteapi.admin.v1.identity_service_pb2 import Grant, Role
    from flyteapi.common.v1.identity_pb2 import Scope

    return Grant(role=Role.Value(f"ROLE_{role.upper()}"), scope=Scope(project=project or "", domain=domain or ""))


def grant_words(grant: Grant) -> str:
    """Return a role in a scope for people: "runner in demo/*"."""
    from flyteapi.admin.v1.identity_service_pb2 import Role

    role = Role.Name(grant.role).removeprefix("ROLE_").lower()
    return f"{role} in {grant.scope.project or '*'}/{grant.scope.domain or '*'}"
