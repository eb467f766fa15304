"""Migrations that are killed, that meet each other, and that meet a service at work; on both kinds of database."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from tests.support.migrations import make_at_revision
from tests.support.postgres import database_url

from flyteplane.records import Database, migrate, open_database
from flyteplane.records.migrate import SchemaAge, schema_state

ADMIN = "flyteplane.admin.store.migrations"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return database_url(request.param, request=request, folder=tmp_path)


def head() -> str:
    migrations: Any = importlib.import_module(ADMIN)
    return str(migrations.HEAD)


async def at_the_first_revision(url: str) -> None:
    await make_at_revision(url, ADMIN, revision="0001")


async def assert_at_head(url: str) -> None:
    database = await open_database(url)
    state = await schema_state(database, package=ADMIN)
    await database.close()
    assert (state.age, state.found) == (SchemaAge.CURRENT, head())


async def test_a_migration_that_is_killed_at_any_statement_is_done_by_the_next(url: str) -> None:
    await at_the_first_revision(url)
    # On a server a session for each of them takes its time.
    kill_before_statements(url, step=7 if url.startswith("postgresql") else 2)
    await assert_at_head(url)


def kill_before_statements(url: str, *, step: int) -> None:
    """Kill one migration after the other, each `step` statements later than the one before."""
    command = [sys.executable, "-m", "tests.support.killed_migration", ADMIN, url, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


async def test_jobs_that_meet_migrate_an_old_database_once(url: str) -> None:
    await at_the_first_revision(url)
    databases = [await open_database(url) for _ in range(3)]
    await asyncio.gather(*(migrate(database, package=ADMIN) for database in databases))
    for database in databases:
        await database.close()
    await assert_at_head(url)


def submit(connection: Connection, name: str) -> None:
    """What code of the first revision writes for a run."""
    texts = ("project", "domain", "created_by", "task_name", "trigger")
    blobs = ("digest", "task_digest", "inputs_digest", "settings", "error")
    values = {"name": name, "created_at_us": 1, "phase": 1}
    values |= dict.fromkeys(texts, "x") | dict.fromkeys(blobs, b"x")
    columns = ", ".join(f'"{column}"' for column in values)
    places = ", ".join(f":{column}" for column in values)
    connection.execute(text(f"INSERT INTO runs ({columns}) VALUES ({places})"), values)


async def write_until(stopped: asyncio.Event, database: Database, *, wrote: asyncio.Event) -> list[str]:
    """Submit run after run, each acknowledged before the next."""
    names: list[str] = []
    while not stopped.is_set():
        names.append(f"r{len(names)}")
        await database.write(lambda connection, name=names[-1]: submit(connection, name))  # type: ignore[misc]  # no type is found for a lambda with a default
        wrote.set()
        await asyncio.sleep(0)
    return names


def found_runs(connection: Connection) -> list[str]:
    assert "task_version" in {column["name"] for column in inspect(connection).get_columns("runs")}
    return list(connection.execute(text("SELECT name FROM runs WHERE queue = '' ORDER BY sequence")).scalars())


async def test_a_service_at_work_loses_nothing_and_notices_nothing(url: str) -> None:
    await at_the_first_revision(url)
    service, job = await open_database(url), await open_database(url)
    stopped, wrote = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(write_until(stopped, service, wrote=wrote))
        await wrote.wait()
        await migrate(job, package=ADMIN)
        wrote.clear()
        await wrote.wait()
        stopped.set()
    assert await service.read(found_runs) == writing.result()
    await service.close()
    await job.close()
