"""What a replica puts back after an attempt: environment, working folder, arguments, signal handlers and files.

Module globals stay as they are: they are what a warm replica is for. The state of a process is one for all attempts that share
it, so it is taken when the first of several begins and put back when the last has ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_HANDLED: Final = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE),
)


@dataclass(frozen=True, slots=True)
class _State:
    env: dict[str, str]
    cwd: str
    arguments: list[str]
    temp: str | None
    handlers: tuple[Any, ...]
    files: Mapping[str, frozenset[str]]


class ProcessIsolation:
    """Takes and puts back the state of this process.

    Args:
        folders: folders in which an attempt may leave files; entries that were not there before it are removed.
    """

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._folders = folders
        self._running = 0
        self._state: _State | None = None

    def begin(self) -> None:
        """An attempt begins; the first of several takes the state."""
        self._running += 1
        if self._running == 1:
            self._state = self._take()

    def end(self) -> None:
        """An attempt has ended; the last of several puts the state back."""
        self._running -= 1
        if self._running == 0 and self._state is not None:
            self._put_back(self._state)

    def _take(self) -> _State:
        return _State(
            dict(os.environ),
            os.getcwd(),
            sys.argv[:],
            tempfile.tempdir,
            tuple(map(signal.getsignal, _HANDLED)),
            {folder: _entries(folder) for folder in self._folders},
        )

    def _put_back(self, state: _State) -> None:
        if os.environ != state.env:
            _restore_environment(state.env)
        _restore_folder(state.cwd)
        if sys.argv != state.arguments:
            sys.argv[:] = state.arguments
        tempfile.tempdir = state.temp
        for number, handler in zip(_HANDLED, state.handlers, strict=True):
            # None is a handler that was not set from Python; it cannot be set from Python either.
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for folder, before in state.files.items():
            _remove_new(folder, before)


def _restore_environment(env: Mapping[str, str]) -> None:
    for name in os.environ.keys() - env.keys():
        del os.environ[name]
    os.environ.update(env)


def _restore_folder(cwd: str) -> None:
    try:
        if os.getcwd() == cwd:
            return
    except FileNotFoundError:
        # The attempt removed the folder that it had changed into.
        pass
    os.makedirs(cwd, exist_ok=True)
    os.chdir(cwd)


def _entries(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except FileNotFoundError:
        return frozenset()


def _remove_new(folder: str, before: frozenset[str]) -> None:
    os.makedirs(folder, exist_ok=True)
    for name in _entries(folder) - before:
        path = Path(folder, name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
