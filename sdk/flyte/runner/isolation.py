"""What a replica puts back after an attempt: working folder, arguments, signal handlers and files.

Module globals stay as they are: they are what a warm replica is for. The state of a process is one for all attempts
that share it, so it is put back when the last of several has ended. This is done for every attempt on a replica, so
it looks before it does anything, and its looks are cheap.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_HANDLED: Final = tuple(
    int(number)
    for number in (
        *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD),
        *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE),
    )
)
# What `signal.getsignal` wraps: it makes an enum of each answer, which costs more than all the rest of this module.
_handler_of: Final[Callable[[int], Any]] = vars(import_module("_signal"))["getsignal"]


class ProcessIsolation:
    """Knows the state in which attempts find the process, and puts it back.

    Args:
        cwd: the working folder; files that an attempt leaves in it are removed.
        temp: the folder for temporary files; the same.
    """

    def __init__(self, *, cwd: str, temp: str) -> None:
        self._cwd = os.path.realpath(cwd)
        self._folders = (self._cwd, temp)
        self._arguments = sys.argv[:]
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._handlers = [_handler_of(number) for number in _HANDLED]
        for folder in self._folders:
            _clear(folder)

    def put_back(self) -> None:
        """Undoes what attempts have done to the process."""
        if _current_folder() != self._cwd:
            os.makedirs(self._cwd, exist_ok=True)
            os.chdir(self._cwd)
        if sys.argv != self._arguments:
            sys.argv[:] = self._arguments
        sys.stdin, sys.stdout, sys.stderr = self._streams
        if [_handler_of(number) for number in _HANDLED] != self._handlers:
            self._put_back_handlers()
        signal.setitimer(signal.ITIMER_REAL, 0)
        tempfile.tempdir = None
        for folder in self._folders:
            if _was_touched(folder):
                _clear(folder)

    def _put_back_handlers(self) -> None:
        for number, handler in zip(_HANDLED, self._handlers, strict=True):
            # None is a handler that was not set from Python; it cannot be set from Python either.
            if handler is not None:
                signal.signal(number, handler)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        # The attempt removed the folder that it had changed into.
        return ""


def _was_touched(folder: str) -> bool:
    try:
        return os.stat(folder).st_mtime_ns != 0
    except FileNotFoundError:
        return True


def _clear(folder: str) -> None:
    """Empties a folder and sets its time of change to 0, so that the next look sees what was made in it."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        path = Path(folder, name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    os.utime(folder, ns=(0, 0))
