"""The audit log in the database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.sql.elements import ColumnElement

from flyteplane.admin.domain.audit import AuditFilter
from flyteplane.admin.store.tables import audit
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.callers import Scope
from flyteplane.records import Database


class SqlAuditStore:
    """See `identity_ports.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, records: Sequence[AuditRecord]) -> None:
        rows = [_values(record) for record in records]
        if rows:
            await self._database.write(lambda connection: connection.execute(insert(audit), rows).close())

    async def page(self, wanted: AuditFilter, *, before: int | None, limit: int) -> Sequence[tuple[int, AuditRecord]]:
        query = select(audit).where(*_conditions(wanted)).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.number < before)
        return await self._database.read(
            lambda connection: [(row.number, _record(row)) for row in connection.execute(query)]
        )

    async def forget(self, *, before_us: int) -> int:
        doomed = delete(audit).where(audit.c.at_us < before_us)
        return await self._database.write(lambda connection: connection.execute(doomed).rowcount)


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    equal = {
        audit.c.subject: wanted.subject,
        audit.c.project: wanted.scope.project,
        audit.c.domain: wanted.scope.domain,
    }
    conditions = [column == value for column, value in equal.items() if value]
    if wanted.after_us is not None:
        conditions.append(audit.c.at_us >= wanted.after_us)
    if wanted.before_us is not None:
        conditions.append(audit.c.at_us < wanted.before_us)
    return conditions


def _values(record: AuditRecord) -> dict[str, Any]:
    return {
        "at_us": record.at_us,
        "subject": record.subject,
        "method": record.method,
        "target": record.target,
        "status": record.status,
        "project": record.scope.project,
        "domain": record.scope.domain,
    }


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        at_us=row.at_us,
        subject=row.subject,
        method=row.method,
        target=row.target,
        status=row.status,
        scope=Scope(row.project, row.domain),
    )
