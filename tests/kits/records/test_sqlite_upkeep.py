"""Commits leave the loop only on slow disks, and the log is tidied beside the writer."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

from sqlalchemy import Connection, text

from flyteplane.records import open_database
from flyteplane.records.sqlite_upkeep import QUICK_COMMIT_S, SWITCH_INTERVAL_S, CommitPace, LogKeeper


def test_a_quick_disk_keeps_commits_on_the_loop() -> None:
    pace = CommitPace()
    for _ in range(100):
        assert pace.is_quick()
        pace.took(0.0003)


def test_one_slow_commit_changes_nothing() -> None:
    pace = CommitPace()
    pace.took(0.01)
    assert pace.is_quick()


def test_a_slow_disk_moves_commits_to_the_thread_and_is_probed_now_and_then() -> None:
    pace = CommitPace()
    while pace.is_quick():
        pace.took(0.02)
    probes = [pace.is_quick() for _ in range(600)]
    assert 1 <= sum(probes) <= 3


def test_a_disk_that_became_quick_again_is_believed() -> None:
    pace = CommitPace()
    while pace.is_quick():
        pace.took(0.02)
    while not pace.is_quick():
        pass
    pace.took(QUICK_COMMIT_S / 10)
    assert pace.is_quick()


async def test_opening_a_database_lets_threads_get_the_interpreter_soon(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/x.db")
    assert sys.getswitchinterval() <= SWITCH_INTERVAL_S * 1.01
    await database.close()


async def test_the_log_stays_bounded_under_constant_load(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/x.db")
    await database.write(lambda c: c.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, content BLOB)")))

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO t (content) VALUES (?)", (b"x" * 60_000,))

    for _ in range(30):
        await asyncio.gather(*(database.write(work) for _ in range(100)))
    written = 30 * 100 * 60_000
    log = (tmp_path / "x.db-wal").stat().st_size
    await database.close()
    assert log < written * 0.75
    assert (tmp_path / "x.db").stat().st_size > written


def test_a_checkpoint_copies_the_log_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection

    writer = connect()
    writer.execute("CREATE TABLE t (content BLOB)")
    keeper = LogKeeper(connect, str(path))
    assert not keeper.due(writer.total_changes)
    for _ in range(100):
        writer.execute("INSERT INTO t VALUES (?)", (b"x" * 10_000,))
    before = path.stat().st_size
    keeper.checkpoint()
    assert path.stat().st_size > before + 900_000
    assert not keeper.too_long()
    keeper.close()
    writer.close()


def test_a_checkpoint_is_due_after_many_commits_or_many_rows(tmp_path: Path) -> None:
    keeper = LogKeeper(lambda: sqlite3.connect(":memory:"), str(tmp_path / "none.db"))
    commits = 0
    while not keeper.due(commits):
        commits += 1
    assert 300 < commits < 500
    assert keeper.due(commits + 5000)
    assert not keeper.due(commits + 5001)
    keeper.close()
