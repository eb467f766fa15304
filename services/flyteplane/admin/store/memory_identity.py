"""Keys, roles and the audit log in memory: for tests."""

from collections.abc import Sequence
from dataclasses import replace

from flyteplane.admin.domain.api_key import ApiKey, StoredKey
from flyteplane.admin.domain.audit import AuditFilter
from flyteplane.foundation.repetition import RequestMark, id_reused
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.callers import Grant
from flyteplane.identity.settings import SubjectGrant


class MemoryKeyStore:
    """See `identity_ports.KeyStore`."""

    def __init__(self) -> None:
        self._keys: dict[str, StoredKey] = {}
        self._answered: dict[bytes, bytes] = {}

    async def add(self, stored: StoredKey, *, request: RequestMark | None = None) -> StoredKey | None:
        name = stored.key.name
        if request is not None and request.name in self._answered:
            if self._answered[request.name] != request.content:
                raise id_reused()
            return self._keys[name]
        if name in self._keys:
            return None
        self._keys[name] = stored
        if request is not None:
            self._answered[request.name] = request.content
        return stored

    async def find(self, name: str) -> StoredKey | None:
        return self._keys.get(name)

    async def list(self, *, after: str, limit: int) -> Sequence[ApiKey]:
        return [self._keys[name].key for name in sorted(self._keys) if name > after][:limit]

    async def revoke(self, name: str, *, at_us: int) -> bool:
        known = self._keys.get(name)
        if known is not None and known.key.revoked_at_us is None:
            self._keys[name] = replace(known, key=replace(known.key, revoked_at_us=at_us))
        return known is not None


class MemoryRoleStore:
    """See `identity_ports.RoleStore`."""

    def __init__(self) -> None:
        self._roles: set[SubjectGrant] = set()

    async def grant(self, subject: str, grant: Grant) -> None:
        self._roles.add(SubjectGrant(subject=subject, grant=grant))

    async def revoke(self, subject: str, grant: Grant) -> None:
        self._roles.discard(SubjectGrant(subject=subject, grant=grant))

    async def of(self, subjects: Sequence[str]) -> Sequence[Grant]:
        return [one.grant for one in await self.list() if one.subject in subjects]

    async def list(self) -> Sequence[SubjectGrant]:
        return sorted(self._roles, key=lambda one: (one.subject, one.grant.role, one.grant.scope))


class MemoryAuditStore:
    """See `identity_ports.AuditStore`."""

    def __init__(self) -> None:
        self._records: dict[int, AuditRecord] = {}
        self._last = 0

    async def add(self, records: Sequence[AuditRecord]) -> None:
        for record in records:
            self._last += 1
            self._records[self._last] = record

    async def page(self, wanted: AuditFilter, *, before: int | None, limit: int) -> Sequence[tuple[int, AuditRecord]]:
        newest_first = sorted(self._records.items(), reverse=True)
        chosen = ((number, record) for number, record in newest_first if _is_wanted(record, wanted))
        return [(number, record) for number, record in chosen if before is None or number < before][:limit]

    async def forget(self, *, before_us: int) -> int:
        old = [number for number, record in self._records.items() if record.at_us < before_us]
        for number in old:
            del self._records[number]
        return len(old)


def _is_wanted(record: AuditRecord, wanted: AuditFilter) -> bool:
    return (
        wanted.subject in ("", record.subject)
        and wanted.scope.project in ("", record.scope.project)
        and wanted.scope.domain in ("", record.scope.domain)
        and (wanted.after_us is None or record.at_us >= wanted.after_us)
        and (wanted.before_us is None or record.at_us < wanted.before_us)
    )
