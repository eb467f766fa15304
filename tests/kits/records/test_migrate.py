"""Migrations: fresh databases, old ones, newer ones, crashes; and how little a database at HEAD costs."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from tests.support.migrations import assert_revisions_make_the_schema

from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.records import Database, migrate, open_database
from flyteplane.records.migrate import SchemaAge, schema_state

PACKAGE = "notes_migrations"

_INIT = """
from sqlalchemy import Column, Index, Integer, MetaData, String, Table

HEAD = "0002"
COMPATIBLE_FROM = "0001"
VERSION_TABLE = "notes_version"
SCHEMA = MetaData()
notes = Table(
    "notes", SCHEMA,
    Column("id", Integer, primary_key=True),
    Column("text", String, nullable=False),
    Column("author", String, nullable=False, server_default=""),
)
Index("notes_by_author", notes.c.author)
"""
_FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.create_table(
        "notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String, nullable=False)
    )
"""
_SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    with op.batch_alter_table("notes") as notes:
        notes.add_column(sa.Column("author", sa.String, nullable=False, server_default=""))
    op.create_index("notes_by_author", "notes", ["author"])
"""


@pytest.fixture
def package_folder(tmp_path: Path) -> Iterator[Path]:
    """A migrations package as a service keeps it."""
    folder = tmp_path / "packages" / PACKAGE
    (folder / "versions").mkdir(parents=True)
    (folder / "__init__.py").write_text(_INIT)
    (folder / "versions" / "0001_notes.py").write_text(_FIRST)
    (folder / "versions" / "0002_author.py").write_text(_SECOND)
    sys.path.insert(0, str(folder.parent))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder.parent))
    sys.modules.pop(PACKAGE, None)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path}/notes.db")
    yield database
    await database.close()


def columns(connection: Connection) -> list[str]:
    return [column["name"] for column in inspect(connection).get_columns("notes")]


def revision(connection: Connection) -> Any:
    return connection.execute(text("SELECT version_num FROM notes_version")).scalar_one()


async def go_back_to_the_first(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE notes (id INTEGER PRIMARY KEY, text VARCHAR NOT NULL)"))
        connection.execute(text("INSERT INTO notes VALUES (1, 'kept')"))
        connection.execute(text("CREATE TABLE notes_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO notes_version VALUES ('0001')"))

    await database.transaction(work)


@pytest.mark.usefixtures("package_folder")
async def test_a_fresh_database_gets_the_schema_at_head(database: Database) -> None:
    await migrate(database, package=PACKAGE)
    await migrate(database, package=PACKAGE)
    assert await database.read(revision) == "0002"
    assert await database.read(columns) == ["id", "text", "author"]


@pytest.mark.usefixtures("package_folder")
async def test_an_old_database_gets_what_it_lacks_and_keeps_its_rows(database: Database) -> None:
    await go_back_to_the_first(database)
    await migrate(database, package=PACKAGE)
    assert await database.read(revision) == "0002"
    rows = await database.read(lambda connection: connection.execute(text("SELECT text, author FROM notes")).all())
    assert [tuple(row) for row in rows] == [("kept", "")]


@pytest.mark.usefixtures("package_folder")
async def test_the_schema_as_a_whole_equals_the_revisions_one_by_one() -> None:
    await assert_revisions_make_the_schema(PACKAGE)


async def test_a_revision_that_was_forgotten_is_noticed(package_folder: Path) -> None:
    init = package_folder / "__init__.py"
    init.write_text(init.read_text().replace('    Column("text"', '    Column("title", String),\n    Column("text"'))
    with pytest.raises(AssertionError, match="title"):
        await assert_revisions_make_the_schema(PACKAGE)


@pytest.mark.usefixtures("package_folder")
async def test_a_database_from_the_future_is_refused_and_left_alone(database: Database) -> None:
    await migrate(database, package=PACKAGE)
    await database.write(lambda connection: connection.execute(text("UPDATE notes_version SET version_num='0009'")))
    with pytest.raises(FailedPrecondition) as raised:
        await migrate(database, package=PACKAGE)
    assert raised.value.reason == "SCHEMA_FROM_THE_FUTURE"
    assert "0009" in raised.value.message
    assert database.name in raised.value.message
    assert await database.read(revision) == "0009"


_THIRD = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade() -> None:
    op.create_table("tags", sa.Column("name", sa.String, primary_key=True))
"""


def newer_build(folder: Path, *, compatible_from: str) -> None:
    """Make the package that of the next build."""
    init = (folder / "__init__.py").read_text().replace('HEAD = "0002"', 'HEAD = "0003"')
    init = init.replace('COMPATIBLE_FROM = "0001"', f'COMPATIBLE_FROM = "{compatible_from}"')
    (folder / "__init__.py").write_text(f'{init}Table("tags", SCHEMA, Column("name", String, primary_key=True))\n')
    (folder / "versions" / "0003_tags.py").write_text(_THIRD)
    sys.modules.pop(PACKAGE, None)
    importlib.invalidate_caches()


async def migrate_with_newer_build(database: Database, folder: Path, *, compatible_from: str) -> None:
    """Let the next build migrate, and become this build again."""
    before = (folder / "__init__.py").read_text()
    newer_build(folder, compatible_from=compatible_from)
    assert (await schema_state(database, package=PACKAGE)).age is SchemaAge.OLDER
    await migrate(database, package=PACKAGE)
    assert (await schema_state(database, package=PACKAGE)).age is SchemaAge.CURRENT
    (folder / "__init__.py").write_text(before)
    sys.modules.pop(PACKAGE, None)
    importlib.invalidate_caches()


async def test_a_newer_schema_that_says_so_is_worked_on_by_the_older_build_and_left_alone(
    database: Database, package_folder: Path
) -> None:
    await migrate(database, package=PACKAGE)
    await migrate_with_newer_build(database, package_folder, compatible_from="0002")
    assert (await schema_state(database, package=PACKAGE)).age is SchemaAge.NEWER
    await migrate(database, package=PACKAGE)
    assert await database.read(revision) == "0003"


async def test_a_newer_schema_that_needs_newer_code_is_refused(database: Database, package_folder: Path) -> None:
    await migrate(database, package=PACKAGE)
    await migrate_with_newer_build(database, package_folder, compatible_from="0003")
    assert (await schema_state(database, package=PACKAGE)).age is SchemaAge.INCOMPATIBLE
    with pytest.raises(FailedPrecondition) as refusal:
        await migrate(database, package=PACKAGE)
    assert refusal.value.reason == "SCHEMA_FROM_THE_FUTURE"


async def test_an_upgrade_over_several_builds_is_compatible_with_the_last_of_them_only(
    database: Database, package_folder: Path
) -> None:
    await go_back_to_the_first(database)
    await migrate_with_newer_build(database, package_folder, compatible_from="0002")
    init = package_folder / "__init__.py"
    init.write_text(init.read_text().replace('HEAD = "0002"', 'HEAD = "0001"'))
    sys.modules.pop(PACKAGE, None)
    importlib.invalidate_caches()
    assert (await schema_state(database, package=PACKAGE)).age is SchemaAge.INCOMPATIBLE


async def test_a_revision_that_fails_leaves_the_old_schema(database: Database, package_folder: Path) -> None:
    await go_back_to_the_first(database)
    broken = _SECOND.replace('["author"])', '["nobody"])')
    (package_folder / "versions" / "0002_author.py").write_text(broken)
    with pytest.raises(Exception, match="nobody"):
        await migrate(database, package=PACKAGE)
    assert await database.read(revision) == "0001"
    assert await database.read(columns) == ["id", "text"]


async def test_what_runs_revisions_is_loaded_before_the_transaction_begins(
    database: Database, package_folder: Path, tmp_path: Path
) -> None:
    await go_back_to_the_first(database)
    program = textwrap.dedent(
        f"""
        import asyncio, sys
        from flyteplane.records import migrate, open_database
        class Watched:
            def __init__(self, database):
                self.name, self.read, self._database = database.name, database.read, database
            async def transaction(self, work):
                loaded = set(sys.modules)
                await self._database.transaction(work)
                print("alembic" in loaded, [name for name in set(sys.modules) - loaded if name.startswith("alembic")])
        async def main():
            database = await open_database("sqlite:///{tmp_path}/notes.db")
            await migrate(Watched(database), package="{PACKAGE}")
            await database.close()
        sys.path.insert(0, {str(package_folder.parent)!r})
        asyncio.run(main())
        """
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "True []"
    assert await database.read(revision) == "0002"


def test_neither_a_fresh_database_nor_one_at_head_loads_alembic(package_folder: Path, tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import asyncio, sys
        from flyteplane.records import migrate, open_database
        async def main():
            for _ in range(2):
                database = await open_database("sqlite:///{tmp_path}/cold.db")
                await migrate(database, package="{PACKAGE}")
                await database.close()
        sys.path.insert(0, {str(package_folder.parent)!r})
        asyncio.run(main())
        print([name for name in sys.modules if name.partition(".")[0] == "alembic"])
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
