"""Queues and resource classes in a database.

Every write begins by comparing the epoch, in its transaction, like the writes of `SqlRecords`: a leader that was paused
and replaced changes nothing. Writes are rare, so each is a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select, update

from flyteplane.foundation.errors import Aborted
from flyteplane.foundation.repetition import REQUESTS_KEPT_S, id_reused
from flyteplane.records import Database
from flyteplane.scheduler.application.administration_ports import AnsweredRequest, Request
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.store.administration_tables import answered_requests, queues, resource_classes
from flyteplane.scheduler.store.sql_records import SHARD
from flyteplane.scheduler.store.tables import leadership

_TUPLES: Final = ("clusters", "service_accounts")


class SqlAdministration:
    """Implements `AdministrationRecords`. The database belongs to the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch = 0

    def take_over(self, epoch: int) -> None:
        """See the port."""
        self._epoch = epoch

    async def load(self) -> Entries:
        """See the port."""
        return await self._database.read(_load)

    async def is_answered(self, request: AnsweredRequest) -> bool:
        """See the port."""
        query = select(answered_requests.c.content).where(answered_requests.c.mark == request.mark.name)
        content = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if content is not None and bytes(content) != request.mark.content:
            raise id_reused()
        return content is not None

    async def put_queue(self, queue: QueueSettings, *, request: Request = None) -> None:
        """See the port."""
        await self._write(lambda connection: _put(connection, queues, _values(queue)), request)

    async def delete_queue(self, name: str, *, request: Request = None) -> None:
        """See the port."""
        await self._write(lambda connection: _delete(connection, queues, name), request)

    async def put_class(self, shape: ResourceClass, *, request: Request = None) -> None:
        """See the port."""
        await self._write(lambda connection: _put(connection, resource_classes, _values(shape)), request)

    async def delete_class(self, name: str, *, request: Request = None) -> None:
        """See the port."""
        await self._write(lambda connection: _delete(connection, resource_classes, name), request)

    async def _write(self, work: Callable[[Connection], None], request: Request) -> None:
        def fenced(connection: Connection) -> None:
            stored = connection.execute(select(leadership.c.epoch).where(leadership.c.shard == SHARD)).scalar()
            if not self._epoch or stored != self._epoch:
                raise Aborted(f"epoch {self._epoch} was replaced by {stored}", reason="FENCED")
            work(connection)
            if request is not None:
                _note(connection, request)

        await self._database.transaction(fenced)


def _note(connection: Connection, request: AnsweredRequest) -> None:
    table = answered_requests
    connection.execute(delete(table).where(table.c.answered_at < request.at - REQUESTS_KEPT_S))
    mark = request.mark
    connection.execute(insert(table).values(mark=mark.name, content=mark.content, answered_at=request.at))


def _load(connection: Connection) -> Entries:
    found_queues = connection.execute(select(queues).order_by(queues.c.name)).mappings()
    found_classes = connection.execute(select(resource_classes).order_by(resource_classes.c.name)).mappings()
    return Entries(
        queues=tuple(QueueSettings(**_arguments(dict(row))) for row in found_queues),
        classes=tuple(ResourceClass(**_arguments(dict(row))) for row in found_classes),
    )


def _put(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    changed = connection.execute(update(table).where(table.c.name == values["name"]).values(values))
    if not changed.rowcount:
        connection.execute(insert(table).values(values))


def _delete(connection: Connection, table: Table, name: str) -> None:
    connection.execute(delete(table).where(table.c.name == name))


def _values(entry: QueueSettings | ResourceClass) -> dict[str, Any]:
    """The columns, which are named like the fields."""
    return {field.name: _plain(getattr(entry, field.name)) for field in fields(entry)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _arguments(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if name in _TUPLES else value for name, value in row.items()}
