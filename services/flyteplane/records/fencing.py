"""A database that only the present leader of a service may write.

    database = await fence(database, package="flyteplane.cache.store.migrations", epoch=term.epoch)

Every write transaction begins by comparing the epoch with the one that is stored. Whoever claims the database later
has a greater one, so a process that was paused and replaced writes nothing when it wakes, whatever it believes.
Reading is not fenced: answers are held back by the gate before the service.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from sqlalchemy import Connection

from flyteplane.foundation.errors import Aborted
from flyteplane.records.schema_notes import EPOCH, SchemaNotes

if TYPE_CHECKING:
    from flyteplane.records.database import Database
    from flyteplane.records.group_commit import GroupCommitWriter
    from flyteplane.records.migrate import MigrationsPackage

T = TypeVar("T")


async def fence(database: Database, *, package: str, epoch: int) -> Database:
    """Claim a migrated database; whoever held it before can write no longer.

    The epoch is `epoch`, or one more than the stored one if that is not smaller: without a coordination store each
    start counts on.

    Raises Unavailable if the claim cannot be stored.
    """
    migrations = cast("MigrationsPackage", importlib.import_module(package))
    notes = SchemaNotes(migrations.VERSION_TABLE)

    def claim(connection: Connection) -> int:
        claimed = max(int(notes.read(connection, EPOCH) or 0) + 1, epoch)
        notes.write(connection, EPOCH, str(claimed))
        return claimed

    return FencedDatabase(database, notes=notes, epoch=await database.transaction(claim))


class FencedDatabase:
    """Implements `Database`: everything that writes raises Aborted (FENCED) once somebody else has claimed it."""

    def __init__(self, database: Database, *, notes: SchemaNotes, epoch: int) -> None:
        self._database = database
        self._notes = notes
        self._epoch = epoch
        self._writer = database.writer(guard=self._check)

    @property
    def name(self) -> str:
        return self._database.name

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read(work)

    async def scan(self, work: Callable[[Connection], T]) -> T:
        return await self._database.scan(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._writer.submit(work)

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        def guarded(connection: Connection) -> T:
            self._check(connection)
            return work(connection)

        return await self._database.transaction(guarded)

    def writer(self, *, guard: Callable[[Connection], None] | None = None, most: int = 500) -> GroupCommitWriter:
        def both(connection: Connection) -> None:
            self._check(connection)
            if guard is not None:
                guard(connection)

        return self._database.writer(guard=both, most=most)

    async def close(self) -> None:
        await self._writer.close()
        await self._database.close()

    def _check(self, connection: Connection) -> None:
        stored = self._notes.read(connection, EPOCH)
        if stored != str(self._epoch):
            raise Aborted(f"epoch {self._epoch} was replaced by {stored or 'none'}", reason="FENCED")
