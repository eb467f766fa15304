"""What a replica puts back after an attempt: working folder, files, timers, and the settings of the process.

Module globals stay as they are, and so does what modules set while they are imported: they are what a warm replica is
for. The state of a process is one for all attempts that share it, so it is put back when the last of several has
ended; what they leave in folders goes whenever none of them is at work. This is done for every attempt on a replica, so
it looks before it does anything, and its looks are cheap.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flyte.runner.process_state import ProcessState


class ProcessIsolation:
    """Knows the state in which attempts find the process, and puts it back.

    Args:
        cwd: the working folder; files that an attempt leaves in it are removed.
        temp: the folder for temporary files; the same.
        cwd_is_own: the working folder is this worker's alone, and empty; otherwise what lies in it by now stays.
    """

    def __init__(self, *, cwd: str, temp: str, cwd_is_own: bool = True) -> None:
        self._cwd = os.path.realpath(cwd)
        self._folders = (KeptFolder(self._cwd, keep_all=not cwd_is_own), KeptFolder(temp))
        self._state = ProcessState()
        self._umask = _read_umask()
        for folder in self._folders:
            folder.clear()

    def put_back(self) -> None:
        """Undoes what attempts have done to the process."""
        self.clear_folders()
        os.umask(self._umask)
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        self._state.put_back()

    def clear_folders(self) -> None:
        """Removes what attempts have left in their folders, and goes back to the working folder."""
        if _current_folder() != self._cwd:
            os.makedirs(self._cwd, exist_ok=True)
            os.chdir(self._cwd)
        tempfile.tempdir = None
        for folder in self._folders:
            if folder.was_touched:
                folder.clear()

    @contextmanager
    def importing(self) -> Iterator[None]:
        """What the block sets is kept: a module is imported once, and what it sets has to last as long as it does."""
        before, umask = self._state.read(), _read_umask()
        yield
        self._state.keep(before)
        if (now := _read_umask()) != umask:
            self._umask = now


class KeptFolder:
    """A folder from which everything goes that attempts have put into it.

    Args:
        keep_all: what lies in it now stays. Nothing at all is removed from a file system's root, or from a volume that
            others may share.
    """

    def __init__(self, path: str, *, keep_all: bool = False) -> None:
        self._path = path
        self._kept = frozenset(os.listdir(path)) if keep_all else frozenset()
        self._is_shared = keep_all and os.path.ismount(path)

    @property
    def was_touched(self) -> bool:
        """Whether something may have been put into it since it was cleared."""
        try:
            return os.stat(self._path).st_mtime_ns != 0 and not self._is_shared
        except FileNotFoundError:
            return True

    def clear(self) -> None:
        """Removes what is new, and sets the folder's time of change to 0, so that the next look sees what was made."""
        if self._is_shared:
            return
        os.makedirs(self._path, exist_ok=True)
        for name in set(os.listdir(self._path)) - self._kept:
            _remove(Path(self._path, name))
        # Who may write to a folder need not own it; it is looked through every time then.
        with contextlib.suppress(OSError):
            os.utime(self._path, ns=(0, 0))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _read_umask() -> int:
    """The kernel tells it only to who sets another one."""
    found = os.umask(0o077)
    os.umask(found)
    return found


def _current_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        # The attempt removed the folder that it had changed into.
        return ""
