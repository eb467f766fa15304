"""Results of local runs, kept in a SQLite file and used by later local runs on this machine.

The same keys as on a platform: task, interface, version and inputs, within a project and domain. Several processes may
use the file at once; a result is there whole or not at all. A file that cannot be used is logged, and no reason for a
run to fail: what it should have held is computed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

_log = logging.getLogger("flyte.local")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS results (
    scope TEXT NOT NULL,
    key BLOB NOT NULL,
    task_name TEXT NOT NULL,
    outputs BLOB NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID
"""


class ResultCache(Protocol):
    """Where results are looked up and kept."""

    def get(self, key: bytes, *, scope: str, max_age_s: float | None) -> bytes | None:
        """Return the outputs under a key unless there are none or they are older than `max_age_s`."""
        ...

    def put(self, key: bytes, outputs: bytes, *, scope: str, task_name: str) -> None:
        """Keep outputs under a key, in place of what was there."""
        ...

    def drop(self, key: bytes, *, scope: str) -> None:
        """Forget the outputs under a key."""
        ...

    def clear(self, *, task_name: str | None = None) -> int:
        """Forget everything, or the results of one task; return how many results."""
        ...


class MemoryCache:
    """A cache for the life of the process."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._results: dict[tuple[str, bytes], tuple[str, bytes, float]] = {}

    def get(self, key: bytes, *, scope: str, max_age_s: float | None) -> bytes | None:
        """Return the outputs under a key unless there are none or they are too old."""
        found = self._results.get((scope, key))
        if found is None or (max_age_s is not None and self._clock() - found[2] >= max_age_s):
            return None
        return found[1]

    def put(self, key: bytes, outputs: bytes, *, scope: str, task_name: str) -> None:
        """Keep outputs under a key."""
        self._results[scope, key] = (task_name, outputs, self._clock())

    def drop(self, key: bytes, *, scope: str) -> None:
        """Forget the outputs under a key."""
        self._results.pop((scope, key), None)

    def clear(self, *, task_name: str | None = None) -> int:
        """Forget everything, or the results of one task."""
        gone = [key for key, (name, _, _) in self._results.items() if task_name in (None, name)]
        for key in gone:
            del self._results[key]
        return len(gone)


class FileCache:
    """A cache in a SQLite file. The file and its folder are made when they are first needed."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def get(self, key: bytes, *, scope: str, max_age_s: float | None) -> bytes | None:
        """Return the outputs under a key unless there are none or they are too old."""
        oldest = -1.0 if max_age_s is None else self._clock() - max_age_s
        query = "SELECT outputs FROM results WHERE scope = ? AND key = ? AND created_at > ?"
        row = None
        with self._forgiving():
            row = self._database().execute(query, (scope, key, oldest)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: bytes, outputs: bytes, *, scope: str, task_name: str) -> None:
        """Keep outputs under a key."""
        values = (scope, key, task_name, outputs, self._clock())
        with self._forgiving(), self._database() as transaction:
            transaction.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", values)

    def drop(self, key: bytes, *, scope: str) -> None:
        """Forget the outputs under a key."""
        with self._forgiving(), self._database() as transaction:
            transaction.execute("DELETE FROM results WHERE scope = ? AND key = ?", (scope, key))

    def clear(self, *, task_name: str | None = None) -> int:
        """Forget everything, or the results of one task. A file that is no database is removed."""
        if not self._path.exists():
            return 0
        where, values = ("", ()) if task_name is None else (" WHERE task_name = ?", (task_name,))
        try:
            with self._lock, self._database() as transaction:
                return transaction.execute(f"DELETE FROM results{where}", values).rowcount
        except sqlite3.OperationalError:
            raise  # The file is a database, and cannot be written now.
        except sqlite3.DatabaseError:
            self.close()
            self._path.unlink(missing_ok=True)
            return 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Lock inside the block; a failure of the file ends the block and is logged."""
        try:
            with self._lock:
                yield
        except (OSError, sqlite3.Error) as error:
            _log.warning(
                "The cache of local runs in %s cannot be used: %s. `flyte delete local-cache` begins a new one.",
                self._path,
                error,
            )

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            self._path.chmod(0o600)  # Results are the user's own.
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            with database:
                database.execute(_SCHEMA)
            self._opened = database
        return self._opened


def default_cache_path() -> Path:
    """Return where local results are kept."""
    return Path.home() / ".flyte" / "local-cache" / "cache.db"
