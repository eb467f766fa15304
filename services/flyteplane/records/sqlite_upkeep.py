"""Where SQLite's two slow steps run: the commit, which flushes the disk, and the checkpoint, which tidies the log.

A thread is not free here. It needs the interpreter lock back when its call returns, and on a loop that is always busy
and often gives the lock up for a moment, as every event loop does, CPython 3.11 can keep it waiting for seconds: a
waiting thread asks for the lock only after a whole switch interval in which nobody gave it up. So a commit runs on
the loop while the disk is quick, and in a thread only where the disk is so slow that blocking the loop would be
worse.
"""

import os
import sqlite3
import sys
from collections.abc import Callable
from typing import Final

#: A commit on the loop may take this long on average; a local disk takes 0.1 to 0.4 ms.
QUICK_COMMIT_S: Final = 0.002
#: How much one commit counts in the average.
_WEIGHT: Final = 1 / 8
#: On a slow disk, every so many commits one runs on the loop to see whether the disk is still slow.
_PROBE_EVERY: Final = 256
#: A thread that wants the interpreter asks for it after this long; CPython's own default is 5 ms.
SWITCH_INTERVAL_S: Final = 0.00005

#: Commits and changed rows (at a tenth) after which the log is tidied in the background.
_CHECKPOINT_AFTER: Final = 400
_ROWS_PER_COMMIT: Final = 10
#: Growth of the log's file after which it is tidied, however few commits that took.
_CHECKPOINT_AFTER_BYTES: Final = 16 * 1024 * 1024
#: Pages of log that a background checkpoint may leave behind before one on the writer's turn finishes the job: 64 MiB.
_MOST_LOG_PAGES: Final = 16384


def shorten_switch_interval() -> None:
    """Let threads get the interpreter sooner; never lengthens the interval. Holds for the whole process."""
    if sys.getswitchinterval() > SWITCH_INTERVAL_S:
        sys.setswitchinterval(SWITCH_INTERVAL_S)


class CommitPace:
    """Decides from the commits so far whether the next one is quick enough for the loop."""

    def __init__(self) -> None:
        self._average_s = 0.0
        self._commits = 0

    def is_quick(self) -> bool:
        """Whether to commit on the loop."""
        self._commits += 1
        return self._average_s <= QUICK_COMMIT_S or self._commits % _PROBE_EVERY == 0

    def took(self, seconds: float) -> None:
        """Learn how long a commit on the loop took. A lone slow one does not change the decision for long."""
        if self._average_s > QUICK_COMMIT_S and seconds <= QUICK_COMMIT_S:
            self._average_s = seconds
        else:
            self._average_s += (seconds - self._average_s) * _WEIGHT


class LogKeeper:
    """Decides when the write-ahead log is copied into the database file, and copies it.

    SQLite would do it inside some unlucky commit, for 10 ms and more. The copying may run beside the writer, but only
    what it has copied completely can be used again; under constant load it never quite catches up, so beyond a size
    the rest, by then a few pages, is copied while the writer waits.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], path: str) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._file = f"{path}-wal"
        self._file_bytes = 0
        self._work = 0
        self._changes = 0
        self._log_pages = 0

    def due(self, total_changes: int) -> bool:
        """Called after each commit: whether a background checkpoint should start now."""
        self._work += 1 + (total_changes - self._changes) // _ROWS_PER_COMMIT
        self._changes = total_changes
        file_bytes = self._measure()
        if self._work < _CHECKPOINT_AFTER and file_bytes - self._file_bytes < _CHECKPOINT_AFTER_BYTES:
            return False
        self._work = 0
        self._file_bytes = file_bytes
        return True

    def _measure(self) -> int:
        try:
            return os.stat(self._file).st_size
        except FileNotFoundError:
            return 0

    def too_long(self) -> bool:
        """Whether the log is so long that the writer should wait for `checkpoint`."""
        return self._log_pages > _MOST_LOG_PAGES

    def checkpoint(self) -> None:
        """Copy what can be copied now. From any thread, one at a time."""
        if self._connection is None:
            self._connection = self._connect()
        _, pages, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._log_pages = pages

    def finish(self) -> None:
        """Copy the rest on the writer's turn, after which the log starts anew."""
        self.checkpoint()
        self._log_pages = 0

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
