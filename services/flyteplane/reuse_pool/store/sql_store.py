"""The register in a database of its own.

Every write transaction begins by comparing the epoch, so that a leader that was paused and replaced can write nothing.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Executable, delete, insert, select, update

from flyteplane.foundation.errors import Aborted
from flyteplane.records import Database, GroupCommitWriter, migrate, open_database
from flyteplane.reuse_pool.application.ports import Claim, PoolRecord, ReplicaRecord
from flyteplane.reuse_pool.store.tables import leadership, pools, replicas

_MIGRATIONS: Final = "flyteplane.reuse_pool.store.migrations"
_SHARD: Final = 0


class SqlPoolStore:
    """Implements `PoolStore`. Closes the database that it is given."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch = 0
        self._guarded: GroupCommitWriter | None = None

    async def claim(self, *, at_least: int) -> Claim:
        """See the port."""
        claim = await self._database.transaction(lambda connection: _claim(connection, at_least))
        self._epoch = claim.epoch
        self._guarded = self._database.writer(guard=self._fence)
        return claim

    async def note_scheduler(self, epoch: int) -> None:
        """See the port."""
        await self._write(update(leadership).where(leadership.c.shard == _SHARD).values(scheduler=epoch))

    async def pools(self) -> Sequence[PoolRecord]:
        """See the port."""
        return await self._database.scan(_pools)

    async def living_replicas(self) -> Sequence[ReplicaRecord]:
        """See the port."""
        return await self._database.scan(_living_replicas)

    async def note_pool(self, pool: PoolRecord) -> None:
        """See the port."""
        await self._writer.submit(lambda connection: _note_pool(connection, pool))

    async def note_bounds(self, name: str, *, min_replicas: int, max_replicas: int) -> None:
        """See the port."""
        bounds = {"min_replicas": min_replicas, "max_replicas": max_replicas}
        await self._write(update(pools).where(pools.c.name == name).values(bounds))

    async def note_pool_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        await self._write(update(pools).where(pools.c.name == name).values(ended_at=at, reason=reason))

    async def note_replica(self, replica: ReplicaRecord) -> None:
        """See the port."""
        await self._writer.submit(lambda connection: _note_replica(connection, replica))

    async def note_warm(self, name: str) -> None:
        """See the port."""
        await self._write(update(replicas).where(replicas.c.name == name).values(warm=True))

    async def note_draining(self, name: str) -> None:
        """See the port."""
        await self._write(update(replicas).where(replicas.c.name == name).values(draining=True))

    async def note_replica_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        statement = (
            update(replicas)
            .where(replicas.c.name == name, replicas.c.ended_at.is_(None))
            .values(ended_at=at, reason=reason)
        )
        await self._write(statement)

    async def prune(self, *, before: float) -> None:
        """See the port."""
        await self._writer.submit(lambda connection: _prune(connection, before))

    async def close(self) -> None:
        """See the port."""
        if self._guarded is not None:
            await self._guarded.close()
        await self._database.close()

    @property
    def _writer(self) -> GroupCommitWriter:
        if self._guarded is None:
            raise Aborted("the register is not claimed", reason="FENCED")
        return self._guarded

    async def _write(self, statement: Executable) -> None:
        await self._writer.submit(lambda connection: _execute(connection, statement))

    def _fence(self, connection: Connection) -> None:
        stored = connection.execute(select(leadership.c.epoch).where(leadership.c.shard == _SHARD)).scalar()
        if stored != self._epoch:
            raise Aborted(f"epoch {self._epoch} was replaced by {stored}", reason="FENCED")


async def open_sql_store(database_url: str) -> SqlPoolStore:
    """Open the register at `database_url` and bring it to the present schema. Raises PlatformError."""
    database = await open_database(database_url)
    try:
        await migrate(database, package=_MIGRATIONS)
    except BaseException:
        await database.close()
        raise
    return SqlPoolStore(database)


def _claim(connection: Connection, at_least: int) -> Claim:
    row = connection.execute(select(leadership).where(leadership.c.shard == _SHARD)).first()
    if row is None:
        connection.execute(insert(leadership).values(shard=_SHARD, epoch=at_least, scheduler=0))
        return Claim(epoch=at_least, scheduler=0)
    epoch = max(row.epoch + 1, at_least)
    connection.execute(update(leadership).where(leadership.c.shard == _SHARD).values(epoch=epoch))
    return Claim(epoch=epoch, scheduler=row.scheduler)


def _prune(connection: Connection, before: float) -> None:
    for table in (replicas, pools):
        connection.execute(delete(table).where(table.c.ended_at < before))


def _execute(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def _pools(connection: Connection) -> list[PoolRecord]:
    columns = [pools.c[name] for name in PoolRecord.__dataclass_fields__]
    found = connection.execute(select(*columns)).mappings()
    return [PoolRecord(**{**row, "declaration": row["declaration"] or b""}) for row in found]


def _living_replicas(connection: Connection) -> list[ReplicaRecord]:
    columns = [replicas.c[name] for name in ReplicaRecord.__dataclass_fields__]
    living = select(*columns).where(replicas.c.ended_at.is_(None))
    return [ReplicaRecord(**row) for row in connection.execute(living).mappings()]


def _note_pool(connection: Connection, pool: PoolRecord) -> None:
    values = {name: getattr(pool, name) for name in PoolRecord.__dataclass_fields__}
    first_seen = values.pop("created_at")
    revived = update(pools).where(pools.c.name == pool.name).values(**values, ended_at=None, reason="")
    if not connection.execute(revived).rowcount:
        connection.execute(insert(pools).values(**values, created_at=first_seen, reason=""))


def _note_replica(connection: Connection, replica: ReplicaRecord) -> None:
    known = select(replicas.c.name).where(replicas.c.name == replica.name)
    if connection.execute(known).first() is None:
        values = {name: getattr(replica, name) for name in ReplicaRecord.__dataclass_fields__}
        connection.execute(insert(replicas).values(**values, reason=""))
