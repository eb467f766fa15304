"""Triggers in the database."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, tuple_, update

from flyteplane.admin.domain.trigger import StoredTrigger, TriggerKey, TriggerState
from flyteplane.admin.store.answered_requests import is_repeated, note_answered
from flyteplane.admin.store.projects import refusal_of_place
from flyteplane.admin.store.tables import triggers
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.repetition import RequestMark
from flyteplane.records import Database

Outcome = TypeVar("Outcome")


class SqlTriggerStore:
    """See `ports.TriggerStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        key: TriggerKey,
        *,
        content: bytes,
        state: TriggerState,
        known: StoredTrigger | None,
        request: RequestMark | None = None,
        now_us: int = 0,
    ) -> StoredTrigger | None:
        def work(connection: Connection) -> StoredTrigger | PlatformError | None:
            if (repeated := is_repeated(connection, request)) is not False:
                return repeated if isinstance(repeated, PlatformError) else None
            stored = _put(connection, key, content=content, state=state, known=known)
            if isinstance(stored, StoredTrigger):
                note_answered(connection, request, now_us=now_us)
            return stored

        return _or_raise(await self._database.write(work))

    async def is_repeated(self, request: RequestMark) -> bool:
        return _or_raise(await self._database.read(lambda connection: is_repeated(connection, request)))

    async def get(self, key: TriggerKey) -> StoredTrigger | None:
        query = select(triggers).where(_is(key))
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return _stored(row) if row is not None else None

    async def list(
        self, *, project: str, domain: str, task_name: str, after: tuple[str, str], limit: int
    ) -> Sequence[StoredTrigger]:
        query = select(triggers).where(and_(triggers.c.project == project, triggers.c.domain == domain))
        if task_name:
            query = query.where(triggers.c.task_name == task_name)
        query = query.where(tuple_(triggers.c.task_name, triggers.c.name) > after)
        query = query.order_by(triggers.c.task_name, triggers.c.name).limit(limit)
        return await self._database.read(lambda connection: [_stored(row) for row in connection.execute(query)])

    async def delete(self, key: TriggerKey, *, request: RequestMark | None = None, now_us: int = 0) -> bool:
        def work(connection: Connection) -> bool | PlatformError:
            if (repeated := is_repeated(connection, request)) is not False:
                return repeated
            deleted = connection.execute(delete(triggers).where(_is(key))).rowcount > 0
            if deleted:
                note_answered(connection, request, now_us=now_us)
            return deleted

        return _or_raise(await self._database.write(work))

    async def due(self, *, now_us: int, limit: int) -> Sequence[StoredTrigger]:
        query = select(triggers).where(triggers.c.wake_at_us <= now_us).order_by(triggers.c.wake_at_us).limit(limit)
        return await self._database.read(lambda connection: [_stored(row) for row in connection.execute(query)])

    async def next_wake(self) -> int | None:
        query = select(func.min(triggers.c.wake_at_us))
        return await self._database.read(lambda connection: connection.execute(query).scalar())


def _or_raise(outcome: Outcome | PlatformError) -> Outcome:
    if isinstance(outcome, PlatformError):
        raise outcome
    return outcome


def _put(
    connection: Connection, key: TriggerKey, *, content: bytes, state: TriggerState, known: StoredTrigger | None
) -> StoredTrigger | PlatformError | None:
    row = connection.execute(select(triggers).where(_is(key))).first()
    # The whole is compared: a trigger that was deleted and made anew counts its revisions from the start.
    if (_stored(row) if row is not None else None) != known:
        return None
    values = {"content": content, "revision": (known.revision if known is not None else 0) + 1, **asdict(state)}
    if known is not None:
        connection.execute(update(triggers).where(_is(key)).values(**values))
    else:
        refusal = refusal_of_place(connection, key.project, domain=key.domain, field="id")
        if refusal is not None:
            return refusal
        connection.execute(insert(triggers).values(**asdict(key), **values))
    return StoredTrigger(key=key, content=content, state=state, revision=values["revision"])


def _is(key: TriggerKey) -> Any:
    return and_(*(triggers.c[name] == value for name, value in asdict(key).items()))


def _stored(row: Row[Any]) -> StoredTrigger:
    return StoredTrigger(
        key=TriggerKey(row.project, row.domain, row.task_name, row.name),
        content=row.content,
        state=TriggerState(**{name: getattr(row, name) for name in TriggerState.__dataclass_fields__}),
        revision=row.revision,
    )
