"""Bringing a database to the schema of this build, at start.

Each service keeps a migrations package with alembic revisions in `versions/`, and in its `__init__`:

    HEAD = "0002"                    # the newest revision
    VERSION_TABLE = "cache_version"  # where this service notes its revision; services may share a database
    SCHEMA = tables.metadata         # the schema at HEAD

A fresh database gets SCHEMA as a whole, an old one the revisions that it lacks, all in one transaction under the
write lock, so that a crash leaves the old schema. A database at HEAD costs one query, and alembic, which takes half a
second to import, is only loaded when there is something to migrate.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from flyteplane.foundation.errors import FailedPrecondition

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from flyteplane.records.database import Database


class MigrationsPackage(Protocol):
    """What a migrations package defines."""

    HEAD: str
    VERSION_TABLE: str
    SCHEMA: MetaData


async def migrate(database: "Database", *, package: str) -> None:
    """Bring `database` to the schema of `package`. Does nothing when it is there already.

    Raises:
        FailedPrecondition: the database was written by a newer build (SCHEMA_FROM_THE_FUTURE).
        Unavailable: the database cannot be written.
    """
    migrations = _load(package)
    if await database.read(lambda connection: _revision(connection, migrations)) == migrations.HEAD:
        return
    await database.transaction(lambda connection: upgrade(connection, package, database_name=database.name))


def upgrade(connection: Connection, package: str, *, database_name: str = "the database") -> None:
    """Do the work of `migrate` inside the caller's transaction."""
    migrations = _load(package)
    revision = _revision(connection, migrations)
    if revision == migrations.HEAD:
        return
    if revision is None:
        create(connection, migrations)
        return
    script = _script(migrations)
    if revision not in {known.revision for known in script.walk_revisions()}:
        raise FailedPrecondition(
            f"{database_name} has schema {revision!r}; the newest that this build knows is {migrations.HEAD!r}",
            reason="SCHEMA_FROM_THE_FUTURE",
            mend="Start the newer build, or restore a backup from before the upgrade.",
        )
    run_revisions(connection, migrations, script)


def create(connection: Connection, migrations: MigrationsPackage) -> None:
    """Make the whole schema at HEAD in an empty database."""
    migrations.SCHEMA.create_all(connection)
    version = _version_table(migrations)
    version.create(connection)
    connection.execute(version.insert().values(version_num=migrations.HEAD))


def run_revisions(
    connection: Connection, migrations: MigrationsPackage, script: "ScriptDirectory | None" = None
) -> None:
    """Run the revisions that the database lacks, from the first one in an empty database."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    script = script or _script(migrations)

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


def _load(package: str) -> MigrationsPackage:
    return cast(MigrationsPackage, importlib.import_module(package))


def _script(migrations: MigrationsPackage) -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    folder = Path(str(cast(ModuleType, migrations).__file__)).parent
    return ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])


def _version_table(migrations: MigrationsPackage) -> Table:
    # The form that alembic itself gives to this table.
    return Table(migrations.VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))


def _revision(connection: Connection, migrations: MigrationsPackage) -> str | None:
    """The revision that the database notes; None when it notes none."""
    version = _version_table(migrations)
    if not inspect(connection).has_table(version.name):
        return None
    return connection.execute(select(version.c.version_num)).scalar_one_or_none()
