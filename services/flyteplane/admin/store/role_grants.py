"""Roles of subjects in the database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select

from flyteplane.admin.store.tables import role_grants
from flyteplane.identity.callers import Grant, Role, Scope
from flyteplane.identity.settings import SubjectGrant
from flyteplane.records import Database


class SqlRoleStore:
    """See `identity_ports.RoleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def grant(self, subject: str, grant: Grant) -> None:
        values = _values(subject, grant)

        def work(connection: Connection) -> None:
            if connection.execute(select(role_grants).where(_is(values))).first() is None:
                connection.execute(insert(role_grants).values(values))

        await self._database.write(work)

    async def revoke(self, subject: str, grant: Grant) -> None:
        statement = delete(role_grants).where(_is(_values(subject, grant)))
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def of(self, subjects: Sequence[str]) -> Sequence[Grant]:
        query = select(role_grants).where(role_grants.c.subject.in_(list(subjects)))
        return await self._database.read(lambda connection: [_grant(row) for row in connection.execute(query)])

    async def list(self) -> Sequence[SubjectGrant]:
        query = select(role_grants).order_by(*role_grants.primary_key.columns)

        def work(connection: Connection) -> list[SubjectGrant]:
            return [SubjectGrant(subject=row.subject, grant=_grant(row)) for row in connection.execute(query)]

        return await self._database.read(work)


def _values(subject: str, grant: Grant) -> dict[str, Any]:
    scope = grant.scope
    return {"subject": subject, "role": int(grant.role), "project": scope.project, "domain": scope.domain}


def _is(values: dict[str, Any]) -> Any:
    return and_(*(role_grants.c[name] == value for name, value in values.items()))


def _grant(row: Row[Any]) -> Grant:
    return Grant(Role(row.role), Scope(row.project, row.domain))
