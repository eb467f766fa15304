"""The scheduler's records in a database.

Every transaction begins by comparing the epoch, so that a leader that was paused and replaced can write nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, literal, null, select, update
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.base import Executable

from flyteplane.foundation.errors import Aborted
from flyteplane.records import Database, GroupCommitWriter, HotStatement
from flyteplane.scheduler.application.ports import (
    EVERY_ACTION,
    ActionCount,
    ActionFilter,
    ActionRow,
    Changes,
    Living,
    RunChange,
    RunKey,
    RunRow,
    SegmentRow,
    TraceRow,
)
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.store import tables

#: Key of the only row in `leadership`: there is one scheduler that leads, for all runs.
SHARD: Final = 0
_KEY: Final = ("run_id", "ordinal")
_MUTABLE: Final = ActionRow._fields[ActionRow._fields.index("phase") :]
_RUN_MUTABLE: Final = ("phase", "started_at", "ended_at", "error")
_FIRST_MUTABLE: Final = ActionRow._fields.index("phase")
#: Phases from this one on are final.
_FIRST_TERMINAL: Final = int(Phase.SUCCEEDED)
#: Rows that go in one transaction: what lives has its turn in between.
_MOST_FORGOTTEN: Final = 500
#: Turns of the loop that the commit of new actions lets pass, so that their dispatch comes before the disk.
_LINGER_TURNS: Final = 8


class SqlRecords:
    """Implements `Records`. Takes the database over and closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch = 0
        self._writer: GroupCommitWriter | None = None
        self._last_save: asyncio.Future[None] | None = None
        self._saves = 0
        self._first_failed = 0
        """Number of the first save that could not be applied; 0 for none."""

    async def claim(self, *, at_least: int) -> int:
        """Stores and returns the next epoch, and writes under it from now on."""

        def work(connection: Connection) -> int:
            table = tables.leadership
            stored = connection.execute(select(table.c.epoch).where(table.c.shard == SHARD)).scalar()
            epoch = max((stored or 0) + 1, at_least)
            if stored is None:
                connection.execute(insert(table).values(shard=SHARD, epoch=epoch))
            else:
                connection.execute(update(table).where(table.c.shard == SHARD).values(epoch=epoch))
            return epoch

        self._epoch = await self._database.transaction(work)
        self._writer = self._database.writer(guard=self._fence, most=1000)
        return self._epoch

    def save(self, changes: Changes) -> Awaitable[None]:
        """See the port."""
        if self._writer is None:
            raise Aborted("the shard is not claimed", reason="FENCED")
        dispatched = any(row.phase < _FIRST_TERMINAL for row in changes.inserted)
        linger = _LINGER_TURNS if dispatched else 0
        self._saves += 1
        number, before = self._saves, self._last_save
        self._last_save = self._writer.submit(
            lambda connection: self._apply(connection, changes, number=number, before=before), linger=linger
        )
        return self._last_save

    def _apply(
        self, connection: Connection, changes: Changes, *, number: int, before: "asyncio.Future[None] | None"
    ) -> None:
        """Applies one save unless one before it failed: the writer would go on after a failure, and what is stored
        would have a hole."""
        if before is not None and before.done() and (before.cancelled() or before.exception() is not None):
            # Kept for those behind it in the same transaction, who cannot see yet that this one fails as well.
            self._first_failed = self._first_failed or number - 1
        if 0 < self._first_failed < number:
            raise Aborted("a write before this one failed", reason="EARLIER_WRITE_FAILED")
        try:
            _apply(connection, changes)
        except Exception:
            self._first_failed = number
            raise
        if self._first_failed == number:
            self._first_failed = 0

    async def living(self) -> Living:
        """See the port."""
        return await self._database.scan(_living)

    async def highest_run_id(self) -> int:
        """See the port."""
        return await self._database.read(
            lambda connection: connection.execute(select(func.max(tables.runs.c.id))).scalar() or 0
        )

    async def task(self, digest: bytes) -> bytes | None:
        """See the port."""
        query = select(tables.tasks.c.spec).where(tables.tasks.c.digest == digest)
        return await self._database.read(lambda connection: connection.execute(query).scalar())

    async def run(self, key: RunKey) -> RunRow | None:
        """See the port."""
        rows = await self._database.read(lambda connection: _RUN.rows(connection, *key))
        return _run_row(rows[0]) if rows else None

    async def action(self, run_id: int, name: str) -> ActionRow | None:
        """See the port."""
        rows = await self._database.read(lambda connection: _ACTION.rows(connection, run_id, name))
        return ActionRow(*rows[0]) if rows else None

    async def actions(
        self, run_id: int, *, after: int, limit: int, where: ActionFilter = EVERY_ACTION
    ) -> Sequence[ActionRow]:
        """See the port."""
        columns = tables.actions.c
        # Those that are named are found by their names; the sum keeps planners from walking the run in this order.
        ordinal = columns.ordinal + 0 if where.names else columns.ordinal
        query = select(*_columns(inputs=literal(b""), outputs=null())).where(columns.run_id == run_id)
        query = query.where(ordinal > after, *_conditions(where)).order_by(ordinal).limit(limit)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [ActionRow(*row) for row in rows]

    async def action_counts(self, run_id: int, *, parents: Sequence[str] | None) -> Sequence[ActionCount]:
        """See the port."""
        columns = tables.actions.c
        keys = (columns.parent, columns.group_label, columns.phase)
        query = select(*keys, func.count()).where(columns.run_id == run_id).group_by(*keys)
        if parents is not None:
            query = query.where(columns.parent.in_(parents))
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [ActionCount(*row) for row in rows]

    async def segments(self, run_id: int, *, from_sequence: int, limit: int) -> Sequence[SegmentRow]:
        """See the port."""
        columns = tables.event_segments.c
        query = select(columns.run_id, columns.first_sequence, columns.last_sequence, columns.batch)
        first = (
            select(func.max(columns.first_sequence))
            .where(columns.run_id == run_id, columns.first_sequence <= from_sequence)
            .scalar_subquery()
        )
        query = query.where(columns.run_id == run_id, columns.first_sequence >= func.coalesce(first, 0))
        query = query.order_by(columns.first_sequence).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [SegmentRow(*row) for row in rows]

    async def run_changes(self, *, after: int, limit: int) -> Sequence[RunChange]:
        """See the port."""
        change, run = tables.run_changes.c, tables.runs.c
        query = (
            select(change.cursor, run.project, run.domain, run.name, change.phase, change.at, run.started_at, run.error)
            .join(tables.runs, run.id == change.run_id)
            .where(change.cursor > after)
            .order_by(change.cursor)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [RunChange(row[0], RunKey(*row[1:4]), row[4], row[5], row[6], row[7]) for row in rows]

    async def ended(self, *, before: float, limit: int) -> Sequence[RunRow]:
        """See the port."""
        columns = tables.runs.c
        query = select(tables.runs).where(columns.ended_at > 0, columns.ended_at < before)
        # The highest id stays in use, or it would be given out again.
        query = query.where(
            columns.phase >= _FIRST_TERMINAL, columns.id < select(func.max(columns.id)).scalar_subquery()
        )
        query = query.order_by(columns.ended_at).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_run_row(row) for row in rows]

    async def forget(self, run_id: int) -> None:
        """See the port."""
        while not await self._remove(lambda connection: _forget(connection, run_id)):
            pass

    async def forget_changes(self, *, before: float) -> None:
        """See the port."""
        while await self._remove(lambda connection: _forget_changes(connection, before)) >= _MOST_FORGOTTEN:
            pass

    async def _remove(self, work: Callable[[Connection], int]) -> int:
        if self._writer is None:
            raise Aborted("the shard is not claimed", reason="FENCED")
        return await self._writer.submit(work)

    async def latest_run_change(self) -> int:
        """See the port."""
        query = select(func.max(tables.run_changes.c.cursor))
        return await self._database.read(lambda connection: connection.execute(query).scalar() or 0)

    async def close(self) -> None:
        """See the port."""
        if self._writer is not None:
            await self._writer.close()
        await self._database.close()

    def _fence(self, connection: Connection) -> None:
        stored = _EPOCH.scalar(connection, SHARD)
        if stored != self._epoch:
            raise Aborted(f"epoch {self._epoch} was replaced by {stored}", reason="FENCED")


def _forget(connection: Connection, run_id: int) -> bool:
    """Removes some of what is stored of a run, or all that is left and the run; returns whether it is gone."""
    for table in (tables.actions, tables.traces, tables.event_segments):
        number = table.primary_key.columns[1]
        some = select(number).where(table.c.run_id == run_id).order_by(number).limit(_MOST_FORGOTTEN)
        doomed = delete(table).where(table.c.run_id == run_id, number.in_(some.scalar_subquery()))
        if connection.execute(doomed).rowcount >= _MOST_FORGOTTEN:
            return False
    connection.execute(delete(tables.runs).where(tables.runs.c.id == run_id))
    return True


def _forget_changes(connection: Connection, before: float) -> int:
    """Removes some of the oldest changes, as far as they were before a time; returns how many."""
    change = tables.run_changes.c
    rows = connection.execute(select(change.cursor, change.at).order_by(change.cursor).limit(_MOST_FORGOTTEN))
    old = [row.cursor for row in takewhile(lambda row: row.at < before, rows.all())]
    if not old:
        return 0
    return connection.execute(delete(tables.run_changes).where(change.cursor <= old[-1])).rowcount


def _conditions(where: ActionFilter) -> list[ColumnElement[bool]]:
    columns = tables.actions.c
    conditions: list[ColumnElement[bool]] = []
    if where.parent:
        conditions.append(columns.parent == where.parent)
    if where.phases:
        conditions.append(columns.phase.in_(where.phases))
    if where.names:
        conditions.append(columns.name.in_(where.names))
    if where.group is not None:
        conditions.append(columns.group_label == where.group)
    return conditions


def _apply(connection: Connection, changes: Changes) -> None:
    if changes.tasks:
        known = select(tables.tasks.c.digest).where(tables.tasks.c.digest.in_([digest for digest, _ in changes.tasks]))
        stored = set(connection.execute(known).scalars())
        fresh = {digest: spec for digest, spec in changes.tasks if digest not in stored}
        if fresh:
            connection.execute(
                insert(tables.tasks), [{"digest": digest, "spec": spec} for digest, spec in fresh.items()]
            )
    if changes.runs:
        _INSERT_RUN.execute_many(connection, [_run_values(row) for row in changes.runs])
    if changes.inserted:
        # Plain tuples: the driver binds any other sequence item by item through its protocol, a quarter slower.
        _INSERT_ACTION.execute_many(connection, [tuple(row) for row in changes.inserted])
    if changes.updated:
        rows = [(*row[_FIRST_MUTABLE:], row[0], row[1]) for row in changes.updated]
        _UPDATE_ACTION.execute_many(connection, rows)
    if changes.segments:
        _INSERT_SEGMENT.execute_many(connection, changes.segments)
    if changes.traces:
        _INSERT_TRACE.execute_many(connection, changes.traces)
    if changes.run_phases:
        _change_runs(connection, changes.run_phases)


def _change_runs(connection: Connection, rows: Sequence[RunRow]) -> None:
    _UPDATE_RUN.execute_many(connection, [(row.phase, row.started_at, row.ended_at, row.error, row.id) for row in rows])
    entered = [(row.id, row.phase, row.ended_at or row.started_at or row.created_at) for row in rows]
    _INSERT_RUN_CHANGE.execute_many(connection, entered)


def _living(connection: Connection) -> Living:
    runs, actions, traces, segments = tables.runs.c, tables.actions.c, tables.traces.c, tables.event_segments
    lives = runs.phase < _FIRST_TERMINAL
    living = select(runs.id).where(lives)
    of_actions = select(*_columns(outputs=null())).where(actions.run_id.in_(living))
    of_traces = select(tables.traces).where(traces.run_id.in_(living))
    newest = (
        select(segments.c.last_sequence)
        .where(segments.c.run_id == runs.id)
        .order_by(segments.c.first_sequence.desc())
        .limit(1)
    )
    # Runs are sorted here: asked for in this order, a planner may look at every run that there ever was.
    return Living(
        runs=sorted(map(_run_row, connection.execute(select(tables.runs).where(lives))), key=lambda run: run.id),
        actions=[ActionRow(*row) for row in connection.execute(of_actions.order_by(actions.run_id, actions.ordinal))],
        traces=[
            TraceRow(*row)
            for row in connection.execute(of_traces.order_by(traces.run_id, traces.ordinal, traces.position))
        ],
        last_sequences={
            run_id: last
            for run_id, last in connection.execute(select(runs.id, newest.scalar_subquery()).where(lives))
            if last is not None
        },
    )


def _columns(**replaced: Any) -> list[Any]:
    return [replaced[name].label(name) if name in replaced else tables.actions.c[name] for name in ActionRow._fields]


def _run_values(row: RunRow) -> Sequence[Any]:
    """The columns of `runs`, in order."""
    times = (row.created_at, row.started_at, row.ended_at)
    return (row.id, *row.key, row.digest, row.settings, row.phase, *times, row.error)


def _run_row(values: Sequence[Any]) -> RunRow:
    run_id, project, domain, name, digest, settings, phase, created_at, started_at, ended_at, error = values
    return RunRow(
        key=RunKey(project, domain, name),
        id=run_id,
        digest=digest,
        settings=settings,
        phase=phase,
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        error=error,
    )


def _build_run() -> Executable:
    columns = tables.runs.c
    conditions = [columns[name] == bindparam(name) for name in RunKey._fields]
    return select(tables.runs).where(*conditions)


def _build_action() -> Executable:
    columns = tables.actions.c
    return select(*_columns()).where(columns.run_id == bindparam("run_id"), columns.name == bindparam("name"))


def _build_run_update() -> Executable:
    changed: dict[str, Any] = {name: bindparam(name) for name in _RUN_MUTABLE}
    return update(tables.runs).values(changed).where(tables.runs.c.id == bindparam("key_id"))


def _build_update() -> Executable:
    table = tables.actions
    statement = update(table).values({name: bindparam(name) for name in _MUTABLE})
    for name in _KEY:
        statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
    return statement


def _columns_of(table: Table) -> list[str]:
    return [column.name for column in table.columns]


_INSERT_ACTION: Final = HotStatement(lambda: insert(tables.actions), _columns_of(tables.actions))
_INSERT_SEGMENT: Final = HotStatement(lambda: insert(tables.event_segments), _columns_of(tables.event_segments))
_RUN: Final = HotStatement(_build_run, RunKey._fields)
_ACTION: Final = HotStatement(_build_action, ["run_id", "name"])
_INSERT_RUN: Final = HotStatement(lambda: insert(tables.runs), _columns_of(tables.runs))
_UPDATE_RUN: Final = HotStatement(_build_run_update, [*_RUN_MUTABLE, "key_id"])
_INSERT_RUN_CHANGE: Final = HotStatement(
    lambda: insert(tables.run_changes).values({name: bindparam(name) for name in ("run_id", "phase", "at")}),
    ["run_id", "phase", "at"],
)
_INSERT_TRACE: Final = HotStatement(lambda: insert(tables.traces), _columns_of(tables.traces))
_UPDATE_ACTION: Final = HotStatement(_build_update, [*_MUTABLE, *(f"key_{name}" for name in _KEY)])
_EPOCH: Final = HotStatement(
    lambda: select(tables.leadership.c.epoch).where(tables.leadership.c.shard == bindparam("shard")), ["shard"]
)
