"""A database that cannot be opened or written says what is wrong and names the file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from flyteplane.foundation.errors import DataLoss, InvalidArgument, Unavailable
from flyteplane.records import open_database


def create(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE blobs (id INTEGER PRIMARY KEY, content BLOB)"))


def fill(size_bytes: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO blobs (content) VALUES (:content)"), {"content": b"x" * size_bytes})

    return work


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DataLoss) as raised:
        await open_database(f"sqlite:///{file}")
    assert raised.value.reason == "STORE_NOT_A_DATABASE"
    assert str(file) in raised.value.message


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as raised:
        await open_database(f"sqlite:///{tmp_path}/none/notes.db")
    assert raised.value.reason == "STORE_CANNOT_OPEN"
    assert str(tmp_path / "none") in raised.value.message
    assert raised.value.mend


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite+aiosqlite:///x.db"])
async def test_a_url_that_is_not_supported_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await open_database(url)
    assert raised.value.field == "url"


async def test_a_full_disk_fails_everyone_in_the_batch_and_loses_nothing_else(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/notes.db")
    await database.write(create)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=20"))
    writer = database.writer()
    answers = [writer.submit(fill(10)), writer.submit(fill(1_000_000)), writer.submit(fill(10))]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert [getattr(result, "reason", "") for result in results] == ["STORE_FULL"] * 3
    assert str(tmp_path) in str(results[0])
    await writer.submit(fill(10))
    count = await database.read(lambda connection: connection.execute(text("SELECT count(*) FROM blobs")).scalar_one())
    assert count == 1
    await writer.close()
    await database.close()


async def test_another_writer_is_waited_for_without_holding_up_the_loop(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/notes.db", busy_timeout_s=10)
    await database.write(create)
    other = sqlite3.connect(tmp_path / "notes.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(database.write(fill(10)))
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert not waiting.done()
    threading.Thread(target=other.execute, args=("COMMIT",)).start()
    await asyncio.wait_for(waiting, 30)
    other.close()
    await database.close()


async def test_a_caller_who_gives_up_waiting_for_another_writer_leaves_no_transaction_open(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/notes.db", busy_timeout_s=10)
    await database.write(create)
    other = sqlite3.connect(tmp_path / "notes.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(database.transaction(fill(10)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    threading.Thread(target=other.execute, args=("COMMIT",)).start()
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()
    await database.write(fill(10))
    count = await database.read(lambda connection: connection.execute(text("SELECT count(*) FROM blobs")).scalar_one())
    assert count == 1
    other.close()
    await database.close()


async def test_another_writer_that_never_ends_is_reported(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/notes.db", busy_timeout_s=0.1)
    await database.write(create)
    other = sqlite3.connect(tmp_path / "notes.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as raised:
        await database.write(fill(10))
    assert raised.value.reason == "STORE_LOCKED"
    other.execute("ROLLBACK")
    other.close()
    await database.write(fill(10))
    await database.close()


_READ_ONLY = """
import asyncio, os, sys
import flyteplane.records.sqlite
from flyteplane.foundation.errors import PlatformError
from flyteplane.records import open_database

async def main():
    try:
        await open_database(sys.argv[1])
    except PlatformError as error:
        print(error.reason, error.message)

os.setuid(65534)
asyncio.run(main())
"""


@pytest.fixture
def folder_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that every user may read; pytest's own may be entered by nobody else."""
    with tempfile.TemporaryDirectory(prefix="flyteplane-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def open_as_nobody(url: str) -> str:
    program = [sys.executable, "-c", _READ_ONLY, url]
    return subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its rights away")
def test_a_folder_that_may_not_be_written_is_named(folder_for_all: Path) -> None:
    said = open_as_nobody(f"sqlite:///{folder_for_all}/notes.db")
    assert said.startswith("STORE_CANNOT_OPEN")
    assert str(folder_for_all) in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its rights away")
def test_a_file_that_may_not_be_written_is_named(folder_for_all: Path) -> None:
    file = folder_for_all / "notes.db"
    sqlite3.connect(file).executescript("CREATE TABLE t (x); ")
    file.chmod(0o444)
    said = open_as_nobody(f"sqlite:///{file}")
    assert said.startswith("STORE_READ_ONLY")
    assert str(file) in said


_KILLED = """
import asyncio, os, sys
from sqlalchemy import text
from flyteplane.records import open_database

async def main():
    database = await open_database(sys.argv[1])
    await database.write(lambda c: c.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)")))
    writer = database.writer()
    for number in range(200):
        await writer.submit(lambda c, number=number: c.execute(text(f"INSERT INTO t VALUES ({number})")))
        print(number, flush=True)
    writer.submit(lambda c: os.kill(os.getpid(), 9))
    await asyncio.Event().wait()

asyncio.run(main())
"""


def acknowledged_before_the_kill(url: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", _KILLED, url], capture_output=True, text=True, timeout=60)
    assert done.returncode == -9
    return [int(line) for line in done.stdout.split()]


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/notes.db"
    acknowledged = await asyncio.to_thread(acknowledged_before_the_kill, url)
    assert acknowledged == list(range(200))
    database = await open_database(url)
    kept = await database.read(lambda c: list(c.execute(text("SELECT id FROM t ORDER BY id")).scalars()))
    assert kept == acknowledged
    await database.close()
