"""API keys in the database."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from flyteplane.admin.domain.api_key import ApiKey, StoredKey
from flyteplane.admin.store.answered_requests import is_repeated, note_answered
from flyteplane.admin.store.tables import api_keys
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.repetition import RequestMark
from flyteplane.identity.callers import Grant, Role, Scope
from flyteplane.records import Database


class SqlKeyStore:
    """See `identity_ports.KeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, stored: StoredKey, *, request: RequestMark | None = None) -> StoredKey | None:
        def work(connection: Connection) -> StoredKey | PlatformError | None:
            repeated = is_repeated(connection, request)
            if isinstance(repeated, PlatformError):
                return repeated
            known = _find(connection, stored.key.name)
            if repeated or known is not None:
                return known if repeated else None
            connection.execute(insert(api_keys).values(_values(stored)))
            note_answered(connection, request, now_us=stored.key.created_at_us)
            return stored

        outcome = await self._database.write(work)
        if isinstance(outcome, PlatformError):
            raise outcome
        return outcome

    async def find(self, name: str) -> StoredKey | None:
        return await self._database.read(lambda connection: _find(connection, name))

    async def list(self, *, after: str, limit: int) -> Sequence[ApiKey]:
        query = select(api_keys).where(api_keys.c.name > after).order_by(api_keys.c.name).limit(limit)
        return await self._database.read(lambda connection: [_key(row) for row in connection.execute(query)])

    async def revoke(self, name: str, *, at_us: int) -> bool:
        first = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at_us.is_(None))
        known = select(api_keys.c.name).where(api_keys.c.name == name)

        def work(connection: Connection) -> bool:
            connection.execute(first.values(revoked_at_us=at_us))
            return connection.execute(known).first() is not None

        return await self._database.write(work)


def _find(connection: Connection, name: str) -> StoredKey | None:
    row = connection.execute(select(api_keys).where(api_keys.c.name == name)).first()
    return None if row is None else StoredKey(_key(row), bytes(row.digest))


def _values(stored: StoredKey) -> dict[str, Any]:
    key = stored.key
    return {
        "name": key.name,
        "digest": stored.digest,
        "grants": json.dumps([[int(grant.role), grant.scope.project, grant.scope.domain] for grant in key.grants]),
        "created_at_us": key.created_at_us,
        "created_by": key.created_by,
        "expires_at_us": key.expires_at_us,
        "revoked_at_us": key.revoked_at_us,
    }


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        name=row.name,
        grants=tuple(Grant(Role(role), Scope(project, domain)) for role, project, domain in json.loads(row.grants)),
        created_at_us=row.created_at_us,
        created_by=row.created_by,
        expires_at_us=row.expires_at_us,
        revoked_at_us=row.revoked_at_us,
    )
