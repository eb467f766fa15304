"""Who the platform takes the caller for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyte.client.channel import connection
from flyte.client.known_console import remember_console
from flyte.remote.message_view import MessageView
from flyte.syncify import syncify
from flyteapi.admin.v1 import identity_service_pb2 as api


class User(MessageView):
    """The caller, with its roles and what the platform says of itself."""

    def __init__(self, message: api.WhoAmIResponse, *, endpoint: str) -> None:
        self.message = message
        self.endpoint = endpoint

    def __repr__(self) -> str:
        return f"User(subject={self.subject()!r})"

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        """Yield what `rich` shows."""
        yield "subject", self.subject()
        yield "roles", self.roles()

    def subject(self) -> str:
        """The identity, for example "key:laptop"."""
        return self.message.subject

    def name(self) -> str:
        """The identity without its kind."""
        return self.message.subject.partition(":")[2] or self.message.subject

    def roles(self) -> list[str]:
        """The roles as "role in project/domain", with "*" for all."""
        return [
            f"{api.Role.Name(grant.role).removeprefix('ROLE_').lower()} in "
            f"{grant.scope.project or '*'}/{grant.scope.domain or '*'}"
            for grant in self.message.grants
        ]

    @syncify.class_method
    @classmethod
    async def get(cls) -> User:
        """Ask the platform who calls."""
        platform = connection()
        answer = await platform.call(platform.identity.WhoAmI, api.WhoAmIRequest())
        remember_console(platform.endpoint, answer.console_url)
        return cls(answer, endpoint=platform.endpoint)
