"""Runs, their outbox and the mirror of their phases, in the database.

Works return refusals instead of raising them, because a work that raises makes the others of its group commit run
twice.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from flyteplane.admin.application.ports import PhaseBatch, StoredRun
from flyteplane.admin.domain.run import NewRun, RunFilter, RunKey, RunProgress, RunRecord, Submission
from flyteplane.admin.domain.run_identity import conflict, same_run
from flyteplane.admin.store import statements
from flyteplane.admin.store.notifications import end_notifications, plan_notifications
from flyteplane.admin.store.projects import refusal_of_place
from flyteplane.admin.store.run_rows import is_one_of, page_queries, progress_row, record_of, record_of_new, row_of
from flyteplane.admin.store.task_specs import ensure_spec
from flyteplane.foundation.errors import PlatformError
from flyteplane.records import Database

_SPECS_REMEMBERED: Final = 4096
#: Runs that are named in one query: each takes three parameters, of which SQLite allows 32,766.
_MOST_NAMED: Final = 5000


class SqlRunStore:
    """See `ports.RunStore`."""

    def __init__(self, database: Database, *, on_notifications_due: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._on_notifications_due = on_notifications_due
        self._stored_specs: OrderedDict[bytes, None] = OrderedDict()

    async def add(self, run: NewRun) -> StoredRun:
        task = run.draft.task
        spec = None if task.digest in self._stored_specs else task.spec
        outcome = await self._database.write(lambda connection: _add(connection, run, spec))
        if isinstance(outcome, PlatformError):
            raise outcome
        if outcome.created:
            self._remember(task.digest)
        return outcome

    async def get(self, key: RunKey) -> RunRecord | None:
        return await self._database.read(lambda connection: _find(connection, key))

    async def list(
        self, where: RunFilter, *, before: int | None, limit: int, among: Collection[RunKey] | None = None
    ) -> Sequence[RunRecord]:
        queries = page_queries(where, before=before, limit=limit)
        if among is not None:
            queries = [query.where(is_one_of(keys)) for query in queries for keys in _parts(among)]

        def work(connection: Connection) -> list[RunRecord]:
            rows = [row for query in queries for row in connection.execute(query)]
            if len(queries) > 1:
                rows = sorted(rows, key=lambda row: -row.sequence)[:limit]
            return [record_of(row) for row in rows]

        return await self._database.scan(work)

    async def pending(self) -> Sequence[RunKey]:
        return await self._database.scan(
            lambda connection: [RunKey(*row) for row in connection.execute(statements.FIND_PENDING)]
        )

    async def submission(self, key: RunKey) -> Submission | None:
        # In the turn of a writer: a commit that is still under way for all we know is over by then.
        return await self._database.write(lambda connection: _submission(connection, key))

    async def settle(self, keys: Sequence[RunKey]) -> Mapping[RunKey, str]:
        return await self._database.write(lambda connection: _settle(connection, keys))

    async def settle_aborted(self, key: RunKey) -> None:
        await self._change(statements.LEAVE_OUTBOX, statements.of(key))

    async def take_back(self, key: RunKey) -> None:
        await self._change(statements.TAKE_BACK, statements.of(key))

    async def fail_undelivered(self, key: RunKey, progress: RunProgress) -> None:
        def work(connection: Connection) -> bool:
            connection.execute(statements.LEAVE_OUTBOX, statements.of(key))
            connection.execute(statements.SET_PROGRESS, {**statements.of(key), **progress_row(progress)})
            return end_notifications(connection, [(key, progress)])

        if await self._database.write(work):
            self._on_notifications_due()

    async def ask_abort(self, key: RunKey, *, reason: str) -> bool:
        return await self._change(statements.ASK_ABORT, {**statements.of(key), "reason": reason}) > 0

    async def forget(self, *, before_us: int, most: int) -> int:
        parameters = {"before_us": before_us, "most": most}
        return await self._database.write(
            lambda connection: connection.execute(statements.FORGET_ENDED, parameters).rowcount
        )

    async def phase_cursor(self) -> int:
        found = await self._database.read(
            lambda connection: connection.execute(statements.FIND_CURSOR).scalar_one_or_none()
        )
        return found or 0

    async def apply_phases(self, batch: PhaseBatch) -> None:
        if await self._database.write(lambda connection: _apply_phases(connection, batch)):
            self._on_notifications_due()

    async def _change(self, statement: Any, parameters: dict[str, str]) -> int:
        """Run one statement; returns how many rows it changed."""
        return await self._database.write(lambda connection: connection.execute(statement, parameters).rowcount)

    def _remember(self, task_digest: bytes) -> None:
        self._stored_specs[task_digest] = None
        if len(self._stored_specs) > _SPECS_REMEMBERED:
            self._stored_specs.popitem(last=False)


def _parts(keys: Collection[RunKey]) -> Iterator[Sequence[RunKey]]:
    ordered = sorted(keys)
    return (ordered[start : start + _MOST_NAMED] for start in range(0, len(ordered), _MOST_NAMED))


def _add(connection: Connection, run: NewRun, spec: bytes | None) -> StoredRun | PlatformError:
    """Insert a run unless it is there. `spec` is None if it is known to be stored."""
    existing = _existing(connection, run)
    if existing is not None:
        if same_run(run.draft, existing):
            return StoredRun(record=existing, created=False)
        return conflict(run.draft, existing)
    refusal = refusal_of_place(connection, run.key.project, domain=run.key.domain, field="run")
    if refusal is not None:
        return refusal
    if spec is not None:
        ensure_spec(connection, run.draft.task.digest, spec)
    return StoredRun(record=record_of_new(run, sequence=_inserted(connection, run)), created=True)


def _existing(connection: Connection, run: NewRun) -> RunRecord | None:
    """The run that has the request id, or else the one that has the name."""
    asked = {**statements.of(run.key), "c": run.draft.created_by, "r": run.draft.request_id or None}
    found = [record_of(row) for row in connection.execute(statements.FIND_BY_NAME_OR_REQUEST, asked)]
    if len(found) > 1:
        found.sort(key=lambda record: record.request_id != run.draft.request_id)
    return found[0] if found else None


def _inserted(connection: Connection, run: NewRun) -> int:
    inserted = connection.execute(statements.INSERT_RUN, row_of(run)).inserted_primary_key
    assert inserted is not None
    sequence: int = inserted[0]
    entry = {"sequence": sequence, "inputs": run.draft.inputs, "abort_reason": None}
    connection.execute(statements.INSERT_OUTBOX, entry)
    labels = [{"sequence": sequence, "key": key, "value": value} for key, value in run.draft.labels.items()]
    if labels:
        connection.execute(statements.INSERT_LABELS, labels)
    plan_notifications(connection, sequence, run.draft.notifications)
    return sequence


def _find(connection: Connection, key: RunKey) -> RunRecord | None:
    row = connection.execute(statements.FIND_RUN, statements.of(key)).one_or_none()
    return None if row is None else record_of(row)


def _submission(connection: Connection, key: RunKey) -> Submission | None:
    row = connection.execute(statements.FIND_SUBMISSION, statements.of(key)).one_or_none()
    if row is None:
        return None
    return Submission(
        run=key,
        digest=row.digest,
        task_spec=row.spec,
        inputs=row.inputs,
        inputs_digest=row.inputs_digest,
        settings=row.settings,
    )


def _settle(connection: Connection, keys: Sequence[RunKey]) -> Mapping[RunKey, str]:
    named = [statements.of(key) for key in keys]
    if connection.execute(statements.SETTLE, named).rowcount == len(keys):
        return {}
    reasons = {
        key: connection.execute(statements.FIND_ABORT, parameters).scalar_one_or_none()
        for key, parameters in zip(keys, named, strict=True)
    }
    return {key: reason for key, reason in reasons.items() if reason is not None}


def _apply_phases(connection: Connection, batch: PhaseBatch) -> bool:
    """Returns whether notifications may have become due."""
    changes = [{**statements.of(change.run), **progress_row(change.progress)} for change in batch.changes]
    if changes:
        connection.execute(statements.SET_PROGRESS, changes)
    if not connection.execute(statements.MOVE_CURSOR, {"to": batch.cursor}).rowcount:
        connection.execute(statements.INSERT_CURSOR, {"id": statements.CURSOR_ROW, "cursor": batch.cursor})
    return end_notifications(connection, ((change.run, change.progress) for change in batch.changes))
