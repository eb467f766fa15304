"""Databases of every earlier revision are brought to this build's with all that is in them, and two builds carry one
platform beside each other while runs are under way, there and back."""

from __future__ import annotations

import asyncio
import importlib
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support import processes
from tests.support.announcements import Announcements
from tests.support.deployment import ServiceUnderTest
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.ledger import Ledger
from tests.support.migrations import make_at_revision
from tests.support.platform import PlatformUnderTest
from tests.system.conftest import PROGRAMS, connect
from tests.system.programs import kept, scheduled

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run, Trigger
from flyteplane.foundation.clock import SystemClock
from flyteplane.launcher.schemas import migrate_all, package_of

SERVICES: Final = ("admin", "scheduler", "cache", "reuse_pool", "secrets")
SOURCES: Final = Path(__file__).parents[2] / "services" / "flyteplane"
CHANGED: Final = ("admin", "scheduler")
REVISION: Final = '''"""What a next release may do."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{new}", "{old}", None, None


def upgrade() -> None:
    op.add_column("runs", sa.Column("of_the_next_build", sa.Integer, nullable=False, server_default="7"))
    op.create_table("of_the_next_build", sa.Column("id", sa.Integer, primary_key=True))
'''

Rows = dict[str, list[dict[str, Any]]]


def migrations_of(service: str) -> Any:
    return importlib.import_module(package_of(service))


@pytest.fixture(autouse=True)
def _no_client_is_left() -> Iterator[None]:
    yield
    set_settings(None)


def rows_in(database: Path, *, but: str = "_version") -> Rows:
    """Everything in a database, as the tables tell it, but for what says of which revision it is."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [str(one["name"]) for one in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept_tables = [name for name in tables if not name.startswith("sqlite_") and not name.endswith((but, "_notes"))]
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]
            for table in kept_tables
        }


def fill(database: Path, rows: Rows) -> None:
    """Write into the tables and columns that an earlier revision has what a later one knows."""
    with closing(sqlite3.connect(database)) as connection:
        for table, entries in rows.items():
            columns = [str(one[1]) for one in connection.execute(f"PRAGMA table_info({table})")]
            for entry in entries if columns else ():
                places = ", ".join("?" for _ in columns)
                connection.execute(f"INSERT INTO {table} VALUES ({places})", [entry[name] for name in columns])
        connection.commit()


async def make_earlier(folder: Path, known: dict[str, Rows], *, revision: int) -> None:
    """Databases as they would be if the same had happened under an earlier revision."""
    folder.mkdir()
    for service in SERVICES:
        oldest = min(revision, int(migrations_of(service).HEAD))
        database = folder / f"{service}.db"
        await make_at_revision(f"sqlite:///{database}", package_of(service), revision=f"{oldest:04}")
        fill(database, known[service])


def assert_kept(known: dict[str, Rows], earlier: dict[str, Rows], folder: Path) -> None:
    """After the migration every row is there as the earlier revision had it, in tables with today's columns."""
    for service in SERVICES:
        after = rows_in(folder / f"{service}.db")
        assert after.keys() == known[service].keys()
        for table, before in earlier[service].items():
            assert len(after[table]) == len(before), f"{service}: {table} has lost or gained rows"
            for old, new in zip(before, after[table], strict=True):
                assert old.items() <= new.items(), f"{service}: {table} has changed {old}"
                assert new.keys() == known[service][table][0].keys()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformUnderTest]:
    """A platform of the test's own."""
    own = PlatformUnderTest(tmp_path / "platform")
    try:
        own.start()
        connect(own)
        yield own
        own.stop()
        own.assert_nothing_runs(within_s=20)
    finally:
        own.destroy()


def test_every_earlier_revision_is_brought_to_this_one_with_all_that_is_in_it(
    platform: PlatformUnderTest, ledger: Ledger, announcements: Announcements, tmp_path: Path
) -> None:
    flyte.deploy(scheduled.env)
    Trigger.create(flyte.Trigger("hourly", flyte.FixedRate(60), inputs={"when": flyte.TriggerTime}), "scheduled.report")
    assert platform.ask("create", "secret", "word", stdin="hidden").returncode == 0
    done = flyte.with_runcontext(labels={"team": "red"}).run(kept.finished, ledger.path, "before")
    written = done.outputs()[0]
    unfinished = flyte.run(kept.both, ledger.path, announcements.path, str(tmp_path / "go"))
    announcements.next(within_s=60)
    platform.kill()
    platform.assert_nothing_runs(within_s=20)

    known = {service: rows_in(platform.data / f"{service}.db") for service in SERVICES}
    assert all(known["admin"][table] for table in ("runs", "run_labels", "triggers", "task_versions"))
    assert all(known["scheduler"][table] for table in ("runs", "actions", "event_segments"))
    for revision in range(1, int(migrations_of("admin").HEAD) + 1):
        folder = tmp_path / f"revision-{revision}"
        asyncio.run(make_earlier(folder, known, revision=revision))
        earlier = {service: rows_in(folder / f"{service}.db") for service in SERVICES}
        if revision == 1:
            shutil.copytree(folder, tmp_path / "first")
        urls = {service: f"sqlite:///{folder / service}.db" for service in SERVICES}
        asyncio.run(migrate_all(urls, clock=SystemClock()))
        assert_kept(known, earlier, folder)

    # The oldest of all, as this build takes it up when it starts.
    for service in SERVICES:
        shutil.copy(tmp_path / "first" / f"{service}.db", platform.data)
    platform.start()
    assert {run.name for run in Run.listall()} >= {done.name, unfinished.name}
    assert [run.name for run in Run.listall(with_labels={"team": "red"})] == [done.name]
    (tmp_path / "go").touch()
    assert Run.get(unfinished.name).outputs()[1] == 7
    assert Run.get(done.name).outputs()[0].path == written.path


@dataclass(frozen=True, slots=True)
class NextBuild:
    """This build with one more revision of two services, as the next release would have."""

    sources: Path

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process run it."""
        return {"PYTHONPATH": str(self.sources)}

    def migrate(self, data: Path) -> str:
        """Run its job."""
        command = [sys.executable, "-m", "flyteplane.launcher", "migrate", "--data", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=self.environment, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def next_build(tmp_path: Path) -> NextBuild:
    build = NextBuild(tmp_path / "next-build")
    # What was compiled from the sources as they are would be taken for the changed ones.
    shutil.copytree(SOURCES, build.sources / "flyteplane", ignore=shutil.ignore_patterns("__pycache__"))
    for service in CHANGED:
        old = str(migrations_of(service).HEAD)
        new = f"{int(old) + 1:04}"
        migrations = build.sources / "flyteplane" / service / "store" / "migrations"
        init = migrations / "__init__.py"
        changed, times = re.subn(r'^(HEAD\b.* = )"\d+"', rf'\g<1>"{new}"', init.read_text(), flags=re.MULTILINE)
        assert times == 1, init.read_text()
        init.write_text(changed)
        (migrations / "versions" / f"v{new}_next.py").write_text(REVISION.format(old=old, new=new))
    return build


def schema_says(data: Path, service: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data / f"{service}.db")) as connection:
        found = connection.execute(statement).fetchall()
        connection.commit()
        return found


def become_client_of(process: ServiceUnderTest) -> None:
    flyte.init(endpoint=process.endpoint, root_dir=PROGRAMS)


def test_two_builds_carry_a_platform_beside_each_other_there_and_back(
    tmp_path: Path, next_build: NextBuild, ledger: Ledger, announcements: Announcements
) -> None:
    require_etcd()
    data, go = tmp_path / "platform", tmp_path / "go"
    config = tmp_path / "flyteplane.yaml"
    config.write_text("services: {migrate: job}\n")
    with EtcdServer(tmp_path) as etcd:
        old, new = (
            ServiceUnderTest(
                data,
                name,
                services=",".join(SERVICES),
                etcd=etcd.endpoint,
                options=["--config", str(config), "--endpoint", f"unix:{tmp_path}/{name}.sock"],
                env=environment,
            )
            for name, environment in (("old", {}), ("new", next_build.environment))
        )
        try:
            data.mkdir()
            asyncio.run(migrate_all({one: f"sqlite:///{data / one}.db" for one in SERVICES}, clock=SystemClock()))
            old.start()
            become_client_of(old)
            unfinished = flyte.run(kept.both, ledger.path, announcements.path, str(go))
            announcements.next(within_s=60)

            # The job of the new build runs while the old one is at work, which goes on.
            said = next_build.migrate(data)
            assert all(f"{service}: brought from" in said for service in CHANGED), said
            flyte.run(kept.finished, ledger.path, "old build, new schema").wait()
            assert schema_says(data, "admin", "SELECT count(*) FROM runs WHERE of_the_next_build = 7") == [(2,)]

            new.start()
            old.stop()
            become_client_of(new)
            announcements.next(within_s=60)
            flyte.run(kept.finished, ledger.path, "new build").wait()

            # And back: nothing is undone in the databases.
            old.start()
            assert "(newer)" in old.log
            new.stop()
            become_client_of(old)
            announcements.next(within_s=60)
            go.touch()
            assert Run.get(unfinished.name).outputs()[1] == 7
            assert len(list(Run.listall())) == 3
            old.stop()

            refuse_what_is_not_compatible(data, old)
        except BaseException as error:
            error.add_note("\n".join(f"--- {process.name}\n{process.log[-4000:]}" for process in (old, new)))
            raise
        finally:
            for process in (old, new):
                if process.running:
                    process.kill()
            processes.kill_all(data)


def refuse_what_is_not_compatible(data: Path, old: ServiceUnderTest) -> None:
    """The tables of a release whose contract this build knows nothing of."""
    found = int(migrations_of("admin").HEAD) + 1
    schema_says(data, "admin", f"UPDATE admin_notes SET value = '{found:04}/{found:04}' WHERE name = 'compatible_from'")
    old.launch()
    with pytest.raises(AssertionError, match="did not start"):
        old.await_ready()
    assert "SCHEMA_FROM_THE_FUTURE" in old.log or "is not compatible with it" in old.log
    assert "admin.db" in old.log
