"""What is written down of a call: who, what, about what, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from flyteplane.identity.callers import Scope

#: The subject of calls whose caller was not proven.
NOBODY: Final = "nobody"
_LONGEST_TEXT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One call that changed something or was refused."""

    at_us: int
    """When it ended, microseconds since the epoch."""
    subject: str
    method: str
    """Full name of the rpc, such as `flyteapi.admin.v1.RunService/CreateRun`."""
    target: str
    status: str
    """Name of the gRPC status that was decided; callers are told NOT_FOUND of what they may not see."""
    scope: Scope

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", _kept(self.subject))
        object.__setattr__(self, "target", _kept(self.target))
        object.__setattr__(self, "scope", Scope(_kept(self.scope.project), _kept(self.scope.domain)))


def _kept(text: str) -> str:
    """What is kept of a text. Whoever sends a call chooses it, of any length; it is shown to people, line by line."""
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST_TEXT])


class AuditSink(Protocol):
    """Takes records and writes them down in its own time."""

    def record(self, entry: AuditRecord) -> None:
        """Take one; never waits and never fails."""
