"""Results in a database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, literal, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from flyteplane.cache.application.ports import Selection
from flyteplane.cache.domain.entries import Entry, EntryKey
from flyteplane.cache.store.tables import entries
from flyteplane.records import Database

#: Keys in one query: below the least limit of parameters that a database has.
_CHUNK = 400


class SqlEntries:
    """Implements `Entries`. Takes the database over and closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, keys))

    async def put(self, items: Sequence[tuple[Entry, bool]]) -> Sequence[bool]:
        """See the port."""
        return await self._database.write(lambda connection: _put(connection, items)) if items else []

    async def delete(self, selection: Selection) -> int:
        """See the port."""
        condition = _selected(selection)
        return await self._database.write(
            lambda connection: connection.execute(delete(entries).where(condition)).rowcount
        )

    async def page(
        self, *, project: str, domain: str, task_name: str, before: tuple[float, bytes] | None, limit: int
    ) -> Sequence[Entry]:
        """See the port."""
        columns = entries.c
        query = select(*(literal(b"").label("outputs") if column.name == "outputs" else column for column in columns))
        query = query.where(columns.project == project, columns.domain == domain)
        if task_name:
            query = query.where(columns.task_name == task_name)
        if before is not None:
            at, digest = before
            query = query.where(or_(columns.created_at < at, and_(columns.created_at == at, columns.digest < digest)))
        query = query.order_by(columns.created_at.desc(), columns.digest.desc()).limit(limit)
        return await self._database.read(lambda connection: [_entry(row) for row in connection.execute(query)])

    async def close(self) -> None:
        """See the port."""
        await self._database.close()


def _find(connection: Connection, keys: Sequence[EntryKey]) -> dict[EntryKey, Entry]:
    by_scope: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for key in keys:
        by_scope[key.project, key.domain].append(key.digest)
    found: dict[EntryKey, Entry] = {}
    for (project, domain), digests in by_scope.items():
        for start in range(0, len(digests), _CHUNK):
            query = select(entries).where(
                entries.c.project == project,
                entries.c.domain == domain,
                entries.c.digest.in_(digests[start : start + _CHUNK]),
            )
            for row in connection.execute(query):
                entry = _entry(row)
                found[entry.key] = entry
    return found


def _put(connection: Connection, items: Sequence[tuple[Entry, bool]]) -> list[bool]:
    replaced = frozenset(_find(connection, [entry.key for entry, _ in items]))
    present = set(replaced)
    stored: list[bool] = []
    rows: dict[EntryKey, dict[str, Any]] = {}
    for entry, overwrite in items:
        wanted = overwrite or entry.key not in present
        stored.append(wanted)
        if wanted:
            rows[entry.key] = _values(entry)
            present.add(entry.key)
    for key in rows.keys() & replaced:
        connection.execute(delete(entries).where(_is(key)))
    if rows:
        connection.execute(insert(entries), list(rows.values()))
    return stored


def _is(key: EntryKey) -> ColumnElement[bool]:
    return and_(entries.c.project == key.project, entries.c.domain == key.domain, entries.c.digest == key.digest)


def _selected(selection: Selection) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = true()
    if selection.project:
        condition = and_(condition, entries.c.project == selection.project, entries.c.domain == selection.domain)
    if selection.task_name:
        condition = and_(condition, entries.c.task_name == selection.task_name)
    if selection.cache_version:
        condition = and_(condition, entries.c.cache_version == selection.cache_version)
    if selection.created_before is not None:
        condition = and_(condition, entries.c.created_at < selection.created_before)
    if selection.digests:
        condition = and_(condition, entries.c.digest.in_(selection.digests))
    return condition


def _values(entry: Entry) -> dict[str, Any]:
    return {
        "project": entry.key.project,
        "domain": entry.key.domain,
        "digest": entry.key.digest,
        "outputs": entry.outputs,
        "producer": entry.producer,
        "task_name": entry.task_name,
        "cache_version": entry.cache_version,
        "created_at": entry.created_at,
    }


def _entry(row: Any) -> Entry:
    return Entry(
        key=EntryKey(row.project, row.domain, row.digest),
        outputs=row.outputs,
        producer=row.producer,
        task_name=row.task_name,
        cache_version=row.cache_version,
        created_at=row.created_at,
    )
