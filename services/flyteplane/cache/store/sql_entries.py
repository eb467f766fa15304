"""Results in a database."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    Executable,
    LargeBinary,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from flyteplane.cache.application.ports import Selection
from flyteplane.cache.domain.entries import Entry, EntryKey, Item, PutOutcome, put_outcome
from flyteplane.cache.domain.limits import Totals
from flyteplane.cache.store.tables import entries, eras, holders
from flyteplane.records import Database, HotStatement

#: Keys in one query: below the least limit of parameters that a database has.
_CHUNK: Final = 400

_Found = TypeVar("_Found")


class SqlEntries:
    """Implements `Entries`. Takes the database over and closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """See the port."""
        return await self._database.read(lambda connection: _find(connection, keys)) if keys else {}

    async def put(self, items: Sequence[Item]) -> Sequence[PutOutcome]:
        """See the port."""
        return await self._database.write(lambda connection: _put(connection, items)) if items else []

    async def hold(self, tokens: Sequence[tuple[EntryKey, int]], *, at: float) -> Sequence[bool]:
        """See the port."""
        return await self._database.write(lambda connection: _hold(connection, tokens, at)) if tokens else []

    async def touch(self, keys: Sequence[EntryKey], *, at: float) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            for condition in _conditions(entries, keys):
                connection.execute(update(entries).where(condition).values(used_at=at))

        await self._database.write(work)

    async def remove(self, entries_: Sequence[Entry]) -> int:
        """See the port."""

        def work(connection: Connection) -> int:
            return sum(
                connection.execute(
                    delete(entries).where(
                        _is(entries, one.key),
                        entries.c.producer == one.producer,
                        entries.c.created_at == one.created_at,
                    )
                ).rowcount
                for one in entries_
            )

        return await self._database.write(work)

    async def delete(self, selection: Selection) -> Totals:
        """See the port."""
        conditions = _selected(selection)
        return await self._database.transaction(lambda connection: _delete(connection, and_(*conditions)))

    async def page(self, selection: Selection, *, before: tuple[float, bytes] | None, limit: int) -> Sequence[Entry]:
        """See the port."""
        columns = entries.c
        query = select(*(literal(b"").label("outputs") if column.name == "outputs" else column for column in columns))
        query = query.where(*_selected(selection))
        if before is not None:
            at, digest = before
            query = query.where(or_(columns.created_at < at, and_(columns.created_at == at, columns.digest < digest)))
        query = query.order_by(columns.created_at.desc(), columns.digest.desc()).limit(limit)
        return await self._database.read(lambda connection: [_entry(row) for row in connection.execute(query)])

    async def totals(self) -> Totals:
        """See the port."""
        query = select(func.count(), func.coalesce(func.sum(entries.c.size_bytes), 0)).select_from(entries)

        def work(connection: Connection) -> Totals:
            count, size = connection.execute(query).one()
            return Totals(entries=count, bytes=int(size))

        return await self._database.scan(work)

    async def evict(self, much: Totals, *, most: int) -> Totals:
        """See the port."""
        return await self._database.write(lambda connection: _evict(connection, much, most))

    async def expire(self, *, created_before: float, most: int) -> Totals:
        """See the port."""
        query = select(entries).where(entries.c.created_at < created_before).limit(most)
        return await self._database.write(lambda connection: _drop(connection, _keys_and_sizes(connection, query)))

    async def forget_tokens(self, *, held_before: float) -> None:
        """See the port."""
        statement = delete(holders).where(holders.c.held_at < held_before)
        await self._database.write(lambda connection: connection.execute(statement).rowcount)

    async def next_era(self) -> int:
        """See the port."""

        def work(connection: Connection) -> int:
            era: int = (connection.execute(select(func.max(eras.c.era))).scalar() or 0) + 1
            connection.execute(delete(eras))
            connection.execute(insert(eras).values(era=era))
            return era

        return await self._database.write(work)

    async def close(self) -> None:
        """See the port."""
        await self._database.close()


def _rows(
    connection: Connection, table: Table, keys: Sequence[EntryKey], read: Callable[[Any], _Found]
) -> dict[EntryKey, _Found]:
    """What a table has under keys."""
    found: dict[EntryKey, _Found] = {}
    for condition in _conditions(table, keys):
        for row in connection.execute(select(table).where(condition)):
            found[EntryKey(row.project, row.domain, row.digest)] = read(row)
    return found


def _conditions(table: Table, keys: Sequence[EntryKey]) -> list[ColumnElement[bool]]:
    """Conditions that together hold for the rows of keys."""
    by_scope: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for key in keys:
        by_scope[key.project, key.domain].append(key.digest)
    return [
        and_(table.c.project == project, table.c.domain == domain, table.c.digest.in_(digests[start : start + _CHUNK]))
        for (project, domain), digests in by_scope.items()
        for start in range(0, len(digests), _CHUNK)
    ]


def _find(connection: Connection, keys: Sequence[EntryKey]) -> dict[EntryKey, Entry]:
    by_scope: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for key in keys:
        by_scope[key.project, key.domain].append(key.digest)
    found: dict[EntryKey, Entry] = {}
    for scope, digests in by_scope.items():
        for start in range(0, len(digests), _CHUNK):
            chunk = digests[start : start + _CHUNK]
            size = next(size for size in _FINDS if size >= len(chunk))
            # Filled up with one that is asked for anyway, so that few statements serve all numbers of keys.
            padding = [chunk[0]] * (size - len(chunk))
            for row in _FINDS[size].rows(connection, *scope, *chunk, *padding):
                entry = _entry(row)
                found[entry.key] = entry
    return found


def _find_statement(size: int) -> HotStatement:
    names = [f"digest_{number}" for number in range(size)]

    def build() -> Executable:
        columns = entries.c
        return select(*columns).where(
            columns.project == bindparam("scope_project"),
            columns.domain == bindparam("scope_domain"),
            columns.digest.in_([bindparam(name, type_=LargeBinary) for name in names]),
        )

    return HotStatement(build, ["scope_project", "scope_domain", *names])


#: Statements that find so many keys at once.
_FINDS: Final = {size: _find_statement(size) for size in (1, 8, 64, _CHUNK)}


def _put(connection: Connection, items: Sequence[Item]) -> list[PutOutcome]:
    before = _find(connection, [item.entry.key for item in items])
    reserved = [item.entry.key for item in items if item.reservation]
    tokens: dict[EntryKey, int] = _rows(connection, holders, reserved, lambda row: row.token)
    present = dict(before)
    outcomes: list[PutOutcome] = []
    stored: dict[EntryKey, Entry] = {}
    for item in items:
        key = item.entry.key
        outcome = put_outcome(item, present=present.get(key), holder=tokens.get(key))
        outcomes.append(outcome)
        if outcome is PutOutcome.STORED:
            stored[key] = present[key] = item.entry
    for key in stored.keys() & before.keys():
        connection.execute(delete(entries).where(_is(entries, key)))
    if stored:
        connection.execute(insert(entries), [_values(entry) for entry in stored.values()])
    return outcomes


def _hold(connection: Connection, tokens: Sequence[tuple[EntryKey, int]], at: float) -> list[bool]:
    known: dict[EntryKey, int] = _rows(connection, holders, [key for key, _ in tokens], lambda row: row.token)
    holds = dict(known)
    for key, token in tokens:
        holds[key] = max(token, holds.get(key, 0))
    for key in known.keys() & holds.keys():
        connection.execute(update(holders).where(_is(holders, key)).values(token=holds[key], held_at=at))
    new = [key for key in holds if key not in known]
    if new:
        rows = [{**key._asdict(), "token": holds[key], "held_at": at} for key in new]
        connection.execute(insert(holders), rows)
    return [holds[key] == token for key, token in tokens]


def _evict(connection: Connection, much: Totals, most: int) -> Totals:
    oldest = _keys_and_sizes(connection, select(entries).order_by(entries.c.used_at).limit(most))
    doomed: list[tuple[EntryKey, int]] = []
    size = 0
    for key, size_bytes in oldest:
        if len(doomed) >= much.entries and size >= much.bytes:
            break
        doomed.append((key, size_bytes))
        size += size_bytes
    return _drop(connection, doomed)


def _keys_and_sizes(connection: Connection, query: Any) -> list[tuple[EntryKey, int]]:
    columns = (entries.c.project, entries.c.domain, entries.c.digest, entries.c.size_bytes)
    rows = connection.execute(query.with_only_columns(*columns))
    return [(EntryKey(row.project, row.domain, row.digest), row.size_bytes) for row in rows]


def _drop(connection: Connection, doomed: Sequence[tuple[EntryKey, int]]) -> Totals:
    for condition in _conditions(entries, [key for key, _ in doomed]):
        connection.execute(delete(entries).where(condition))
    return Totals(entries=len(doomed), bytes=sum(size for _, size in doomed))


def _delete(connection: Connection, condition: ColumnElement[bool]) -> Totals:
    size = connection.execute(select(func.coalesce(func.sum(entries.c.size_bytes), 0)).where(condition)).scalar()
    return Totals(entries=connection.execute(delete(entries).where(condition)).rowcount, bytes=int(size or 0))


def _is(table: Table, key: EntryKey) -> ColumnElement[bool]:
    return tuple_(table.c.project, table.c.domain, table.c.digest) == tuple(key)


def _selected(selection: Selection) -> list[ColumnElement[bool]]:
    columns = entries.c
    conditions = [columns.project == selection.project, columns.domain == selection.domain]
    if selection.task_name:
        conditions.append(columns.task_name == selection.task_name)
    if selection.cache_version:
        conditions.append(columns.cache_version == selection.cache_version)
    if selection.created_before is not None:
        conditions.append(columns.created_at < selection.created_before)
    if selection.digests:
        conditions.append(columns.digest.in_(selection.digests))
    return conditions


def _values(entry: Entry) -> dict[str, Any]:
    return {
        **entry.key._asdict(),
        "outputs": entry.outputs,
        "producer": entry.producer,
        "task_name": entry.task_name,
        "cache_version": entry.cache_version,
        "created_at": entry.created_at,
        "objects": "\n".join(entry.objects),
        "used_at": entry.used_at,
        "size_bytes": entry.size_bytes,
    }


def _entry(row: Sequence[Any]) -> Entry:
    """An entry of a row with all columns, in the order of the table."""
    project, domain, digest, outputs, producer, task_name, cache_version, created_at, objects, used_at, size = row
    return Entry(
        key=EntryKey(project, domain, digest),
        outputs=outputs,
        producer=producer,
        task_name=task_name,
        cache_version=cache_version,
        objects=tuple(objects.split("\n")) if objects else (),
        created_at=created_at,
        used_at=used_at,
        size_bytes=size,
    )
