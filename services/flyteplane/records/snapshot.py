"""Copies of several SQLite databases as they were at one moment, while others write to them.

Services tell each other what they have committed, so files that are copied one after the other may contradict each
other: a run that one of them has handed over and the other has never heard of. Here nobody can commit to any of them
for the moment in which a snapshot of each is taken; the copying itself reads these snapshots and holds nobody up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import DataLoss, PlatformError, Unavailable
from flyteplane.records.failures import store_failure

#: How long one try may wait for each database after the first, with those before it locked. Writers wait for 5 s.
_WAIT_S: Final = 0.2
#: How long a try may wait for the first one, when it holds nobody up.
_FIRST_WAIT_S: Final = 5.0
_TRIES: Final = 50


def snapshot_sqlite(copies: Mapping[Path, Path], *, tries: int = _TRIES) -> None:
    """Copy databases: from files that are there to new files, whole and of one moment. Blocks while it copies.

    Args:
        copies: the new file of each.
        tries: how often to ask for all of them together, while somebody writes without a pause.

    Raises:
        Unavailable: a database cannot be read or locked, or a copy cannot be written.
        DataLoss: a database is damaged.
    """
    with ExitStack() as stack:
        sources = [(path, _opened(path, stack)) for path in copies]
        _begin_together(sources, stack, tries=tries)
        for path, source in sources:
            _copy(source, copies[path], name=str(path))


def _opened(path: Path, stack: ExitStack) -> sqlite3.Connection:
    try:
        # As a URI, so that a file that is not there is an error and no new database.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=5.0)
    except sqlite3.Error as error:
        raise _failure(error, str(path)) from error
    return stack.enter_context(closing(connection))


def _begin_together(sources: Sequence[tuple[Path, sqlite3.Connection]], stack: ExitStack, *, tries: int) -> None:
    """Begin to read all of them as of one moment, in which nobody could write to any."""
    locks = [(path, _opened(path, stack)) for path, _ in sources]
    for _ in range(tries):
        try:
            if _lock_all(locks):
                for path, source in sources:
                    _run(source, "BEGIN", name=str(path))
                    _run(source, "SELECT count(*) FROM sqlite_master", name=str(path))
                return
        finally:
            for _, lock in locks:
                if lock.in_transaction:
                    lock.rollback()
    raise Unavailable(
        "the databases are written to without a pause",
        reason="STORE_LOCKED",
        mend="Try again when the platform has less to do.",
    )


def _lock_all(locks: Sequence[tuple[Path, sqlite3.Connection]]) -> bool:
    """Take every write lock, or say that one was not to be had."""
    for number, (path, lock) in enumerate(locks):
        wait_s = _WAIT_S if number else _FIRST_WAIT_S
        _run(lock, f"PRAGMA busy_timeout={int(wait_s * 1000)}", name=str(path))
        try:
            lock.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise _failure(error, str(path)) from error
            return False
    return True


def _copy(source: sqlite3.Connection, target: Path, *, name: str) -> None:
    try:
        with closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            # One file, without a log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise _failure(error, name) from error
    if found != "ok":
        raise DataLoss(f"the database file {name} is damaged: {found}", reason="STORE_CORRUPT", mend="Keep it.")


def _run(connection: sqlite3.Connection, statement: str, *, name: str) -> None:
    try:
        connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        raise _failure(error, name) from error


def _failure(error: sqlite3.Error, name: str) -> PlatformError:
    known = store_failure(error, name=f"the database file {name}")
    return known or Unavailable(f"the database file {name} cannot be copied: {error}", reason="STORE_IO")
