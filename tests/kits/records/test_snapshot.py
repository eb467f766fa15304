"""Several databases are copied as of one moment, while somebody writes to them, and nobody is held up for long."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from flyteplane.foundation.errors import DataLoss, Unavailable
from flyteplane.records.snapshot import snapshot_sqlite


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two databases with a number each."""
    made = [tmp_path / "first.db", tmp_path / "second.db"]
    for path in made:
        with closing(opened(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE counted (number INTEGER, filling BLOB)")
            connection.execute("INSERT INTO counted VALUES (0, zeroblob(400000))")
    return made


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=5.0)


def number_in(path: Path) -> int:
    with closing(opened(path)) as connection:
        return int(connection.execute("SELECT number FROM counted").fetchone()[0])


@contextmanager
def counting(files: list[Path]) -> Iterator[None]:
    """Counts up in the first database and then in the second, again and again."""
    stopped, counted = Event(), Event()

    def count() -> None:
        connections = [opened(path) for path in files]
        while not stopped.is_set():
            for connection in connections:
                connection.execute("UPDATE counted SET number = number + 1")
            counted.set()
        for connection in connections:
            connection.close()

    thread = Thread(target=count)
    thread.start()
    try:
        assert counted.wait(30)
        yield
    finally:
        stopped.set()
        thread.join(30)
    assert not thread.is_alive()


def test_no_copy_knows_what_another_has_not_heard_of(files: list[Path], tmp_path: Path) -> None:
    seen = []
    with counting(files):
        for number in range(8):
            copies = [tmp_path / f"{number}-{path.name}" for path in files]
            # The second first: copied one after the other, it would lag behind what the first says.
            snapshot_sqlite({files[1]: copies[1], files[0]: copies[0]})
            first, second = map(number_in, copies)
            assert first - second in (0, 1)
            seen.append(first)
    assert seen == sorted(seen)
    assert seen[-1] > 0


def test_a_database_that_is_never_free_is_told_and_holds_nobody_else_up(files: list[Path], tmp_path: Path) -> None:
    with closing(opened(files[1])) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as refusal:
            snapshot_sqlite({path: tmp_path / f"copy-{path.name}" for path in files}, tries=2)
        assert refusal.value.reason == "STORE_LOCKED"
        with closing(opened(files[0])) as other:
            other.execute("UPDATE counted SET number = 7")
    assert not (tmp_path / "copy-first.db").exists()


def test_what_is_no_database_or_not_there_is_named(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"absent\.db"):
        snapshot_sqlite({tmp_path / "absent.db": tmp_path / "copy.db"})
    assert not (tmp_path / "absent.db").exists()
    files[0].write_bytes(b"this is no database at all" * 400)
    with pytest.raises(DataLoss, match=r"first\.db"):
        snapshot_sqlite({files[0]: tmp_path / "copy.db"})
