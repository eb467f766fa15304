"""Who was given which secret, and who was refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flyteplane.secrets.domain.names import SecretScope


class Outcome(StrEnum):
    """How a request for one secret ended."""

    GIVEN = "given"
    BAD_TOKEN = "bad_token"
    """The token was not ours or had expired."""
    OTHER_BEARER = "other_bearer"
    """The token names another attempt, run, project or replica than the values were asked for."""
    MALFORMED = "malformed"
    """The request broke the rules for names, or for where values may go."""
    NOT_ASKED_FOR = "not_asked_for"
    """The token does not name the secret: its task did not ask for it."""
    MISSING = "missing"
    """No scope of the run has it."""
    FAILED = "failed"
    """It is there and could not be decrypted."""
    WITHHELD = "withheld"
    """Nothing was wrong with it, but another secret of the same request was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who asked, as the token says; all empty for a token that says nothing that can be believed."""

    project: str = ""
    domain: str = ""
    run: str = ""
    action: str = ""
    attempt: int = 0
    lease: int = 0
    pool: str = ""
    replica: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One secret in one request."""

    at: float
    """Seconds since the epoch."""
    subject: Subject
    secret: str
    """`key` or `group/key`; empty if the request was refused before it was read."""
    outcome: Outcome
    scope: SecretScope | None = None
    """Where it was found; None if it was not looked for or not found."""
    version: int = 0
    """What was found; 0 if nothing was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries to show; an empty part matches all."""

    secret: str = ""
    """As in entries."""
    project: str = ""
    """Of whoever asked."""
    domain: str = ""

    def matches(self, entry: AuditEntry) -> bool:
        """Whether to show an entry."""
        pairs = (
            (self.secret, entry.secret),
            (self.project, entry.subject.project),
            (self.domain, entry.subject.domain),
        )
        return all(wanted in ("", found) for wanted, found in pairs)


EVERYTHING: Final = AuditFilter()
