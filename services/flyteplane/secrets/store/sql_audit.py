"""The audit trail in a database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.sql.elements import ColumnElement

from flyteplane.records import Database
from flyteplane.secrets.domain.audit import EVERYTHING, AuditEntry, AuditFilter, Outcome, Subject
from flyteplane.secrets.domain.names import SecretScope
from flyteplane.secrets.store.tables import audit


class SqlAudit:
    """Implements `AuditTrail`. The database belongs to the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        rows = [_values(entry) for entry in entries]
        if rows:
            await self._database.write(lambda connection: connection.execute(insert(audit), rows).close())

    async def page(
        self, *, limit: int, before: int | None = None, matching: AuditFilter = EVERYTHING
    ) -> Sequence[tuple[int, AuditEntry]]:
        """See the port."""
        query = select(audit).where(*_conditions(matching)).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.number < before)
        return await self._database.read(
            lambda connection: [(row.number, _entry(row)) for row in connection.execute(query)]
        )

    async def forget(self, *, before: float) -> int:
        """See the port."""
        doomed = delete(audit).where(audit.c.at < before)
        return await self._database.write(lambda connection: connection.execute(doomed).rowcount)


def _conditions(matching: AuditFilter) -> list[ColumnElement[bool]]:
    wanted = {audit.c.secret: matching.secret, audit.c.project: matching.project, audit.c.domain: matching.domain}
    return [column == value for column, value in wanted.items() if value]


def _values(entry: AuditEntry) -> dict[str, Any]:
    subject, scope = entry.subject, entry.scope
    return {
        "at": entry.at,
        "outcome": entry.outcome.value,
        "secret": entry.secret,
        "scope_project": scope.project if scope is not None else None,
        "scope_domain": scope.domain if scope is not None else None,
        "version": entry.version,
        "project": subject.project,
        "domain": subject.domain,
        "run": subject.run,
        "action": subject.action,
        "attempt": subject.attempt,
        "lease": str(subject.lease),
        "pool": subject.pool,
        "replica": subject.replica,
    }


def _entry(row: Any) -> AuditEntry:
    subject = Subject(
        project=row.project,
        domain=row.domain,
        run=row.run,
        action=row.action,
        attempt=row.attempt,
        lease=int(row.lease),
        pool=row.pool,
        replica=row.replica,
    )
    return AuditEntry(
        at=row.at,
        subject=subject,
        secret=row.secret,
        outcome=Outcome(row.outcome),
        scope=SecretScope(row.scope_project, row.scope_domain) if row.scope_project is not None else None,
        version=row.version,
    )
