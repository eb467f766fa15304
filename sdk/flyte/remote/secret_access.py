"""Who was given a secret and who was refused: entries of the platform's audit trail."""

from __future__ import annotations

from datetime import datetime

from flyte.remote.action import moment
from flyte.remote.message_view import MessageView
from flyteapi.secrets.v1 import secrets_service_pb2 as api


class SecretAccess(MessageView):
    """One secret in one request for secrets; never its value."""

    def __init__(self, message: api.Access) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"SecretAccess(secret={self.secret!r}, outcome={self.outcome!r}, by={self.by!r}, time={self.time})"

    @property
    def time(self) -> datetime:
        """When, in UTC."""
        return moment(self.message.at)

    @property
    def outcome(self) -> str:
        """ "given", or why not: "bad_token", "other_bearer", "malformed", "not_asked_for", "missing", "failed", or
        "withheld" because of another secret of the same request."""
        return self.message.outcome

    @property
    def secret(self) -> str:
        """Key, or group and key as "group/key"; empty if the request was refused before it was read."""
        return f"{self.message.group}/{self.message.key}" if self.message.group else self.message.key

    @property
    def version(self) -> int:
        """What was found; 0 if nothing was."""
        return self.message.version

    @property
    def scope(self) -> str:
        """Where it was found, as "project/domain" with "*" for all; empty if it was not."""
        if not self.message.HasField("scope"):
            return ""
        return f"{self.message.scope.project or '*'}/{self.message.scope.domain or '*'}"

    @property
    def project(self) -> str:
        """Project of the run or pool that asked; empty if the token told nothing that can be believed."""
        return self.message.bearer.scope.project

    @property
    def domain(self) -> str:
        """Its domain."""
        return self.message.bearer.scope.domain

    @property
    def by(self) -> str:
        """The attempt that asked, as "run/action attempt", or the replica of a pool; empty if nobody knows."""
        bearer = self.message.bearer
        if bearer.replica:
            return f"replica {bearer.replica}"
        return f"{bearer.run}/{bearer.action} {bearer.attempt}" if bearer.run else ""
