"""Bringing a database to the schema of this build, at start.

Each service keeps a migrations package with alembic revisions in `versions/`, and in its `__init__`:

    HEAD = "0002"                    # the newest revision; revisions are numbers of four digits, in order
    COMPATIBLE_FROM = "0001"         # the oldest HEAD whose code works on the tables of this one
    VERSION_TABLE = "cache_version"  # where this service notes its revision; services may share a database
    SCHEMA = tables.metadata         # the schema at HEAD

A fresh database gets SCHEMA as a whole, an old one the revisions that it lacks, all in one transaction under the
write lock, so that a crash leaves the old schema. A database at HEAD costs one query, and alembic, which takes half a
second to import, is only loaded when there is something to migrate.

During a rolling upgrade code of two builds works on one schema, the newer of the two. A build that finds a schema from
the future goes on if that schema is noted as compatible with it, and refuses otherwise. `docs/upgrades.md` says how a
change is cut so that it is.
"""

import importlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.records.schema_notes import COMPATIBLE_FROM, SchemaNotes
from flyteplane.records.statements import statements_of

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from flyteplane.records.database import Database


class MigrationsPackage(Protocol):
    """What a migrations package defines."""

    HEAD: str
    COMPATIBLE_FROM: str
    VERSION_TABLE: str
    SCHEMA: MetaData


class SchemaAge(StrEnum):
    """How the schema of a database compares with this build."""

    CURRENT = "current"
    OLDER = "older"
    """There is something to migrate; also for an empty database."""
    NEWER = "newer"
    """Of a newer build, and noted as compatible with this one."""
    INCOMPATIBLE = "incompatible"
    """Of a newer build, and this one must not touch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """What was found in a database."""

    age: SchemaAge
    found: str
    """Its revision; empty for none."""
    head: str
    """The newest revision that this build knows."""
    name: str
    """Of the database."""

    def refuse_incompatible(self) -> None:
        """Raise FailedPrecondition (SCHEMA_FROM_THE_FUTURE) if this build must not touch the database."""
        if self.age is SchemaAge.INCOMPATIBLE:
            raise FailedPrecondition(
                f"{self.name} has schema {self.found!r}; the newest that this build knows is {self.head!r}, "
                "and the newer one is not compatible with it",
                reason="SCHEMA_FROM_THE_FUTURE",
                mend="Start the newer build, or restore a backup from before the upgrade.",
            )


async def schema_state(database: "Database", *, package: str) -> SchemaState:
    """Compare a database with the schema of `package`, changing nothing. Raises Unavailable."""
    migrations = _load(package)
    return await database.read(lambda connection: _state(connection, migrations, database.name))


async def migrate(database: "Database", *, package: str) -> None:
    """Bring `database` to the schema of `package`. Does nothing when it is there already, or compatible and newer.

    Raises:
        FailedPrecondition: the database was written by a newer build (SCHEMA_FROM_THE_FUTURE).
        Unavailable: the database cannot be written.
    """
    state = await schema_state(database, package=package)
    if state.age in (SchemaAge.CURRENT, SchemaAge.NEWER):
        return
    if state.found:
        load_revisions(package)
    await database.transaction(lambda connection: upgrade(connection, package, database_name=database.name))


def load_revisions(package: str) -> None:
    """Import what runs revisions beforehand: a server ends a transaction that stands still while somebody imports."""
    import alembic.config
    import alembic.runtime.environment  # noqa: F401 - loaded, not used

    for _ in _script(_load(package)).walk_revisions():
        pass


def upgrade(connection: Connection, package: str, *, database_name: str = "the database") -> None:
    """Do the work of `migrate` inside the caller's transaction."""
    migrations = _load(package)
    state = _state(connection, migrations, database_name)
    state.refuse_incompatible()
    if state.age is not SchemaAge.OLDER:
        return
    if not state.found:
        create(connection, migrations)
        return
    if state.found != migrations.HEAD:
        run_revisions(connection, migrations)
    else:
        _note_compatibility(connection, migrations)


def create(connection: Connection, migrations: MigrationsPackage) -> None:
    """Make the whole schema at HEAD in an empty database."""
    for statement in statements_of(migrations.SCHEMA, connection.dialect):
        connection.exec_driver_sql(statement)
    version = _version_table(migrations.VERSION_TABLE)
    version.create(connection)
    connection.execute(version.insert().values(version_num=migrations.HEAD))
    _note_compatibility(connection, migrations)


def run_revisions(connection: Connection, migrations: MigrationsPackage) -> None:
    """Run the revisions that the database lacks, from the first one in an empty database."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    script = _script(migrations)

    def steps(revision: Any, context: Any) -> Any:
        return script._upgrade_revs(migrations.HEAD, revision)

    environment = EnvironmentContext(Config(), script, fn=steps)
    with environment:
        environment.configure(
            connection=connection,
            target_metadata=migrations.SCHEMA,
            version_table=migrations.VERSION_TABLE,
            render_as_batch=True,
            transactional_ddl=False,
        )
        environment.run_migrations()
    _note_compatibility(connection, migrations)


def _state(connection: Connection, migrations: MigrationsPackage, name: str) -> SchemaState:
    found, notes = _revision(connection, migrations) or "", SchemaNotes(migrations.VERSION_TABLE)
    noted = notes.read(connection, COMPATIBLE_FROM) if found and notes.exist(connection) else ""
    # Whoever migrated without writing a note has said nothing of what it made.
    of, _, compatible_from = noted.partition("/")
    age = _age(found, migrations.HEAD, compatible_from if of == found else "")
    return SchemaState(age=age, found=found, head=migrations.HEAD, name=name)


def _age(found: str, head: str, compatible_from: str) -> SchemaAge:
    """Revisions are numbers with leading zeros, so they compare as text."""
    if found > head:
        return SchemaAge.NEWER if compatible_from and compatible_from <= head else SchemaAge.INCOMPATIBLE
    return SchemaAge.CURRENT if found == head and compatible_from else SchemaAge.OLDER


def _note_compatibility(connection: Connection, migrations: MigrationsPackage) -> None:
    notes = SchemaNotes(migrations.VERSION_TABLE)
    notes.create(connection)
    notes.write(connection, COMPATIBLE_FROM, f"{migrations.HEAD}/{migrations.COMPATIBLE_FROM}")


def _load(package: str) -> MigrationsPackage:
    return cast(MigrationsPackage, importlib.import_module(package))


def _script(migrations: MigrationsPackage) -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    folder = Path(str(cast(ModuleType, migrations).__file__)).parent
    return ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])


@lru_cache
def _version_table(name: str) -> Table:
    # The form that alembic itself gives to this table.
    return Table(name, MetaData(), Column("version_num", String(32), primary_key=True))


def _revision(connection: Connection, migrations: MigrationsPackage) -> str | None:
    """The revision that the database notes; None when it notes none."""
    version = _version_table(migrations.VERSION_TABLE)
    if not inspect(connection).has_table(version.name):
        return None
    return connection.execute(select(version.c.version_num)).scalar_one_or_none()
