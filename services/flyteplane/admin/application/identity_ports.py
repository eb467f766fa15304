"""Where keys, roles and the audit log are kept."""

from collections.abc import Sequence
from typing import Protocol

from flyteplane.admin.domain.api_key import ApiKey, StoredKey
from flyteplane.admin.domain.audit import AuditFilter
from flyteplane.foundation.repetition import RequestMark
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.callers import Grant
from flyteplane.identity.settings import SubjectGrant


class KeyStore(Protocol):
    """API keys by name. A name is never given twice, not even after the key was revoked."""

    async def add(self, stored: StoredKey, *, request: RequestMark | None = None) -> StoredKey | None:
        """Keep a new key, and return it; None if the name was ever given.

        For a request that was answered before, the key that was made then, as it is now. Raises AlreadyExists: the
        request id belongs to another request.
        """

    async def find(self, name: str) -> StoredKey | None:
        """A key, revoked or not."""

    async def list(self, *, after: str, limit: int) -> Sequence[ApiKey]:
        """Keys by name; only those behind `after`."""

    async def revoke(self, name: str, *, at_us: int) -> bool:
        """Note that a key holds no longer; the first time counts. False if there is none."""


class RoleStore(Protocol):
    """Roles of subjects that are no keys."""

    async def grant(self, subject: str, grant: Grant) -> None:
        """Give a role; nothing happens if the subject has it."""

    async def revoke(self, subject: str, grant: Grant) -> None:
        """Take a role away; nothing happens if the subject does not have it."""

    async def of(self, subjects: Sequence[str]) -> Sequence[Grant]:
        """The roles of any of these."""

    async def list(self) -> Sequence[SubjectGrant]:
        """All roles, by subject."""


class AuditStore(Protocol):
    """Records of calls, in the order in which they were written."""

    async def add(self, records: Sequence[AuditRecord]) -> None:
        """Write some down, all or none."""

    async def page(self, wanted: AuditFilter, *, before: int | None, limit: int) -> Sequence[tuple[int, AuditRecord]]:
        """Records with their numbers, the newest first; only those with numbers below `before`."""

    async def forget(self, *, before_us: int) -> int:
        """Delete what is older; returns how many there were."""
