"""Secrets in a database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from flyteplane.foundation.repetition import REQUESTS_KEPT_S
from flyteplane.records import Database
from flyteplane.secrets.application.ports import StoredSecret
from flyteplane.secrets.domain.names import SecretName, SecretScope
from flyteplane.secrets.domain.values import Sealed, SecretInfo, WrappedKey
from flyteplane.secrets.store.tables import requests, secrets

#: Names in one query: four parameters each, below the least limit that a database has.
_CHUNK: Final = 200
_NAME: Final = (secrets.c.project, secrets.c.domain, secrets.c.group_name, secrets.c.key)
_INFO: Final = (*_NAME, secrets.c.version, secrets.c.created_at, secrets.c.updated_at, secrets.c.deleted)


class SqlSecrets:
    """Implements `SecretRecords`. Takes the database over and closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: SecretName) -> SecretInfo | None:
        """See the port."""
        row = await self._database.read(lambda connection: connection.execute(select(*_INFO).where(_is(name))).first())
        return _info(row) if row is not None else None

    async def put(self, info: SecretInfo, sealed: Sealed | None, *, expecting: int, request: str = "") -> bool:
        """See the port."""

        def work(connection: Connection) -> bool:
            if request and _is_remembered(connection, request, info):
                return False
            stored = _put(connection, info, sealed, expecting)
            if stored and request:
                _remember(connection, request, info)
            return stored

        return await self._database.write(work)

    async def answered(self, request: str) -> SecretInfo | None:
        """See the port."""
        query = select(requests).where(requests.c.id == request)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return _info(row) if row is not None else None

    async def locate(self, candidates: Sequence[Sequence[SecretName]]) -> Sequence[SecretInfo | None]:
        """See the port."""
        return await self._database.read(lambda connection: _locate(connection, candidates))

    async def fetch(self, candidates: Sequence[Sequence[SecretName]]) -> Sequence[StoredSecret | None]:
        """See the port."""
        return await self._database.read(lambda connection: _fetch(connection, candidates))

    async def page(self, *, scope: SecretScope | None, after: SecretName | None, limit: int) -> Sequence[SecretInfo]:
        """See the port."""
        query = select(*_INFO).where(secrets.c.deleted.is_(False), *_behind(after))
        if scope is not None:
            query = query.where(secrets.c.project == scope.project, secrets.c.domain == scope.domain)
        query = query.order_by(*_NAME).limit(limit)
        return await self._database.read(lambda connection: [_info(row) for row in connection.execute(query)])

    async def under_other_keys(
        self, key_id: str, *, after: SecretName | None, limit: int
    ) -> Sequence[tuple[SecretInfo, WrappedKey]]:
        """See the port."""
        query = select(*_INFO, secrets.c.key_id, secrets.c.wrapped_key)
        query = query.where(secrets.c.deleted.is_(False), secrets.c.key_id != key_id, *_behind(after))
        query = query.order_by(*_NAME).limit(limit)
        return await self._database.read(
            lambda connection: [(_info(row), _wrapped(row)) for row in connection.execute(query)]
        )

    async def rewrap(self, keys: Sequence[tuple[SecretInfo, WrappedKey]]) -> int:
        """See the port."""
        return await self._database.write(lambda connection: _rewrap(connection, keys)) if keys else 0

    async def keys_in_use(self) -> Mapping[str, int]:
        """See the port."""
        query = select(secrets.c.key_id, func.count()).where(secrets.c.deleted.is_(False)).group_by(secrets.c.key_id)
        return await self._database.scan(lambda connection: {row[0]: row[1] for row in connection.execute(query)})

    async def close(self) -> None:
        """See the port."""
        await self._database.close()


def _put(connection: Connection, info: SecretInfo, sealed: Sealed | None, expecting: int) -> bool:
    values = {
        "version": info.version,
        "created_at": info.created_at,
        "updated_at": info.updated_at,
        "deleted": sealed is None,
        "key_id": sealed.key.key_id if sealed is not None else None,
        "wrapped_key": sealed.key.content if sealed is not None else None,
        "content": sealed.content if sealed is not None else None,
    }
    stored = connection.execute(select(secrets.c.version).where(_is(info.name))).scalar_one_or_none()
    if (stored or 0) != expecting:
        return False
    if stored is None:
        name = dict(zip((column.name for column in _NAME), info.name, strict=True))
        connection.execute(insert(secrets).values(**name, **values))
    else:
        connection.execute(update(secrets).where(_is(info.name)).values(**values))
    return True


def _is_remembered(connection: Connection, request: str, info: SecretInfo) -> bool:
    since = info.updated_at - REQUESTS_KEPT_S
    query = select(requests.c.id).where(requests.c.id == request, requests.c.updated_at >= since)
    return connection.execute(query).first() is not None


def _remember(connection: Connection, request: str, info: SecretInfo) -> None:
    connection.execute(delete(requests).where(requests.c.updated_at < info.updated_at - REQUESTS_KEPT_S))
    name = dict(zip((column.name for column in _NAME), info.name, strict=True))
    facts = {"version": info.version, "created_at": info.created_at, "updated_at": info.updated_at}
    connection.execute(insert(requests).values(id=request, **name, **facts, deleted=info.deleted))


def _locate(connection: Connection, candidates: Sequence[Sequence[SecretName]]) -> list[SecretInfo | None]:
    living = {
        _name(row): _info(row) for row in _rows(connection, _INFO, {name for names in candidates for name in names})
    }
    return [next((living[name] for name in names if name in living), None) for names in candidates]


def _fetch(connection: Connection, candidates: Sequence[Sequence[SecretName]]) -> list[StoredSecret | None]:
    located = _locate(connection, candidates)
    # Only the values that will be given are read: what a nearer scope hides may be large.
    columns = (*_NAME, secrets.c.key_id, secrets.c.wrapped_key, secrets.c.content)
    rows = _rows(connection, columns, {info.name for info in located if info is not None})
    sealed = {_name(row): Sealed(key=_wrapped(row), content=row.content) for row in rows}
    return [StoredSecret(info=info, sealed=sealed[info.name]) if info is not None else None for info in located]


def _rows(connection: Connection, columns: Sequence[ColumnElement[Any]], names: Iterable[SecretName]) -> list[Any]:
    wanted = sorted(names)
    found: list[Any] = []
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        query = select(*columns).where(tuple_(*_NAME).in_(chunk), secrets.c.deleted.is_(False))
        found += connection.execute(query).all()
    return found


def _rewrap(connection: Connection, keys: Sequence[tuple[SecretInfo, WrappedKey]]) -> int:
    done = 0
    for info, key in keys:
        same = and_(_is(info.name), secrets.c.version == info.version, secrets.c.deleted.is_(False))
        values = {"key_id": key.key_id, "wrapped_key": key.content}
        done += connection.execute(update(secrets).where(same).values(**values)).rowcount
    return done


def _is(name: SecretName) -> ColumnElement[bool]:
    return and_(*(column == part for column, part in zip(_NAME, name, strict=True)))


def _behind(after: SecretName | None) -> tuple[ColumnElement[bool], ...]:
    return () if after is None else (tuple_(*_NAME) > after,)


def _name(row: Any) -> SecretName:
    return SecretName(row.project, row.domain, row.group_name, row.key)


def _info(row: Any) -> SecretInfo:
    return SecretInfo(
        name=_name(row),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted=row.deleted,
    )


def _wrapped(row: Any) -> WrappedKey:
    return WrappedKey(key_id=row.key_id, content=row.wrapped_key)
