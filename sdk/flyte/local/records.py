"""The local runs of this machine's user: a SQLite file that `flyte get run --local` reads.

A run is written down when it begins and again when it ends. One whose process is gone without a word is shown as
aborted. Records are a convenience: that they cannot be written is logged, and no reason for a run to fail.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from flyte.spec.phases import ActionPhase

KEPT_RUNS: Final = 1000
"""Older records are removed."""
MAX_TEXT: Final = 10_000
"""Characters of inputs, outputs or a message that are kept."""

_log = logging.getLogger("flyte.local")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    task_name TEXT NOT NULL,
    project TEXT NOT NULL,
    domain TEXT NOT NULL,
    folder TEXT NOT NULL,
    process TEXT NOT NULL,
    started_at REAL NOT NULL,
    inputs TEXT NOT NULL,
    phase TEXT NOT NULL,
    ended_at REAL,
    outputs TEXT NOT NULL DEFAULT '',
    error_code TEXT NOT NULL DEFAULT '',
    error_message TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS runs_by_name ON runs (name);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """What is known of a local run. Times in seconds since 1970."""

    name: str
    task_name: str
    project: str
    domain: str
    folder: str
    process: str
    """Which process carried it out, see `this_process`."""
    started_at: float
    inputs: str = ""
    phase: ActionPhase = ActionPhase.RUNNING
    ended_at: float | None = None
    outputs: str = ""
    error_code: str = ""
    error_message: str = ""


_COLUMNS: Final = tuple(field.name for field in fields(RecordedRun))


class RunRecords:
    """Records in a file. The file and its folder are made when they are first needed."""

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.time, is_alive: Callable[[str], bool] | None = None
    ) -> None:
        self._path = path
        self._clock = clock
        self._is_alive = is_alive or _is_alive
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def begin(self, run: RecordedRun) -> int | None:
        """Write down that a run begins; return the number of its record, None if it could not be written."""
        values = [run.phase.name if name == "phase" else getattr(run, name) for name in _COLUMNS]
        marks = ", ".join("?" for _ in _COLUMNS)
        number: int | None = None
        with self._forgiving(), self._database() as database:
            statement = f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES ({marks})"
            number = database.execute(statement, [_cut(value) for value in values]).lastrowid
            database.execute("DELETE FROM runs WHERE number <= ?", ((number or 0) - KEPT_RUNS,))
        return number

    def end(
        self, number: int | None, *, phase: ActionPhase, outputs: str = "", code: str = "", message: str = ""
    ) -> None:
        """Write down how a run ended."""
        if number is None:
            return
        values = (phase.name, self._clock(), _cut(outputs), code, _cut(message), number)
        with self._forgiving(), self._database() as database:
            database.execute(
                "UPDATE runs SET phase = ?, ended_at = ?, outputs = ?, error_code = ?, error_message = ? "
                "WHERE number = ?",
                values,
            )

    def latest(self, *, limit: int = 100, name: str | None = None) -> list[RecordedRun]:
        """Return runs, the newest first; with `name` those of this name only."""
        if not self._path.exists():
            return []
        where, values = ("", ()) if name is None else ("WHERE name = ? ", (name,))
        query = f"SELECT {', '.join(_COLUMNS)} FROM runs {where}ORDER BY number DESC LIMIT ?"
        with self._lock:
            rows = self._database().execute(query, (*values, limit)).fetchall()
        return [self._read(row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _read(self, row: tuple[object, ...]) -> RecordedRun:
        values = dict(zip(_COLUMNS, row, strict=True))
        phase = ActionPhase[str(values.pop("phase"))]
        lost = phase is ActionPhase.RUNNING and not self._is_alive(str(values["process"]))
        if lost:
            phase = ActionPhase.ABORTED
            values |= {"error_code": "ABORTED", "error_message": "The process ended before the run did."}
        return RecordedRun(**values, phase=phase)  # type: ignore[arg-type]  # the columns are the fields

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Lock inside the block; a failure of the file ends the block and is logged."""
        try:
            with self._lock:
                yield
        except (OSError, sqlite3.Error) as error:
            _log.warning("The run cannot be recorded in %s: %s", self._path, error)

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
            self._path.chmod(0o600)  # Inputs and outputs are the user's own.
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(_SCHEMA)
            self._opened = database
        return self._opened


def default_records_path() -> Path:
    """Return where local runs are recorded."""
    return Path.home() / ".flyte" / "local-runs" / "runs.db"


def this_process() -> str:
    """Return which process this is: its id, and when it began, as ids are used again."""
    return f"{os.getpid()}:{_began(os.getpid())}"


def _is_alive(process: str) -> bool:
    pid, _, began = process.partition(":")
    return pid.isdigit() and _began(int(pid)) == began != ""


def _began(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name of the program may hold anything; what follows it has a fixed order.
    return stat.rpartition(")")[2].split()[19]


def _cut(value: object) -> object:
    return f"{value[:MAX_TEXT]}..." if isinstance(value, str) and len(value) > MAX_TEXT else value
