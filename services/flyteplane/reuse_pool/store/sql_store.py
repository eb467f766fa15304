"""The register in a database of its own."""

from collections.abc import Sequence

from sqlalchemy import Connection, Executable, delete, insert, select, update

from flyteplane.records import Database, migrate, open_database
from flyteplane.reuse_pool.application.ports import PoolRecord, ReplicaRecord
from flyteplane.reuse_pool.store.tables import pools, replicas

_MIGRATIONS = "flyteplane.reuse_pool.store.migrations"


class SqlPoolStore:
    """Implements `PoolStore`. Closes the database that it is given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pools(self) -> Sequence[PoolRecord]:
        """See the port."""
        return await self._database.scan(_pools)

    async def living_replicas(self) -> Sequence[ReplicaRecord]:
        """See the port."""
        return await self._database.scan(_living_replicas)

    async def note_pool(self, pool: PoolRecord) -> None:
        """See the port."""
        await self._database.write(lambda connection: _note_pool(connection, pool))

    async def note_pool_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        statement = update(pools).where(pools.c.name == name).values(ended_at=at, reason=reason)
        await self._database.write(lambda connection: _execute(connection, statement))

    async def note_replica(self, replica: ReplicaRecord) -> None:
        """See the port."""
        await self._database.write(lambda connection: _note_replica(connection, replica))

    async def note_replica_end(self, name: str, *, at: float, reason: str) -> None:
        """See the port."""
        statement = (
            update(replicas)
            .where(replicas.c.name == name, replicas.c.ended_at.is_(None))
            .values(ended_at=at, reason=reason)
        )
        await self._database.write(lambda connection: _execute(connection, statement))

    async def prune(self, *, before: float) -> None:
        """See the port."""
        await self._database.write(lambda connection: _prune(connection, before))

    async def close(self) -> None:
        """See the port."""
        await self._database.close()


async def open_sql_store(database_url: str) -> SqlPoolStore:
    """Open the register at `database_url` and bring it to the present schema. Raises PlatformError."""
    database = await open_database(database_url)
    try:
        await migrate(database, package=_MIGRATIONS)
    except BaseException:
        await database.close()
        raise
    return SqlPoolStore(database)


def _prune(connection: Connection, before: float) -> None:
    for table in (replicas, pools):
        connection.execute(delete(table).where(table.c.ended_at < before))


def _execute(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def _pools(connection: Connection) -> list[PoolRecord]:
    columns = [pools.c[name] for name in PoolRecord.__dataclass_fields__]
    return [PoolRecord(**row) for row in connection.execute(select(*columns)).mappings()]


def _living_replicas(connection: Connection) -> list[ReplicaRecord]:
    columns = [replicas.c[name] for name in ReplicaRecord.__dataclass_fields__]
    living = select(*columns).where(replicas.c.ended_at.is_(None))
    return [ReplicaRecord(**row) for row in connection.execute(living).mappings()]


def _note_pool(connection: Connection, pool: PoolRecord) -> None:
    revived = update(pools).where(pools.c.name == pool.name).values(ended_at=None, reason="")
    if not connection.execute(revived).rowcount:
        values = {name: getattr(pool, name) for name in PoolRecord.__dataclass_fields__}
        connection.execute(insert(pools).values(**values, reason=""))


def _note_replica(connection: Connection, replica: ReplicaRecord) -> None:
    known = select(replicas.c.name).where(replicas.c.name == replica.name)
    if connection.execute(known).first() is None:
        connection.execute(
            insert(replicas).values(name=replica.name, pool=replica.pool, started_at=replica.started_at, reason="")
        )
