"""A platform's folder that several processes of one platform share.

Who holds what, by locks of the kernel that end with their process:

    platform.lock               shared by all of them; the embedded platform takes it alone, so they exclude each other
    admin.lock, cache.lock ...  the one process that carries the service where there is no store to elect a leader by
    processes/<name>/           a folder for each process: its own lock, socket, log, and the work of its workers
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from flyteplane.foundation.errors import FailedPrecondition, Unavailable
from flyteplane.launcher.folder import PlatformFolder


class SharedFolder(PlatformFolder):
    """The folder, with what this process holds of it. Made by `share`."""

    def __init__(self, path: Path, lock: int, *, own: PlatformFolder, stack: ExitStack, announces: bool) -> None:
        super().__init__(path, lock)
        self.own = own
        """The folder of this process."""
        self._stack = stack
        self._announces = announces

    @classmethod
    def share(cls, path: Path, *, process: str, services: Sequence[str], announces: bool = False) -> SharedFolder:
        """Take the locks of a process that alone carries `services`.

        Args:
            announces: whether it says where the platform is, because it serves clients.

        Raises:
            FailedPrecondition: PLATFORM_RUNNING or SERVICE_RUNNING; another process holds one of them.
            Unavailable: the folder cannot be used.
        """
        with ExitStack() as stack:
            own = PlatformFolder.open(path / "processes" / process)
            stack.callback(own.close)
            _close_to_others(path)
            lock = _open_lock(path / "platform.lock", stack)
            if not _try_lock(lock, fcntl.LOCK_SH):
                raise FailedPrecondition(
                    f"an embedded platform runs on {path}",
                    reason="PLATFORM_RUNNING",
                    mend="Stop it with `flyte down`, or choose another folder with --data.",
                )
            for service in services:
                if not _try_lock(_open_lock(path / f"{service}.lock", stack), fcntl.LOCK_EX):
                    raise FailedPrecondition(
                        f"another process carries {service} on {path}",
                        reason="SERVICE_RUNNING",
                        mend=f"Stop it, or leave {service} out of --services.",
                    )
            return cls(path, lock, own=own, stack=stack.pop_all(), announces=announces)
        raise AssertionError("not reached")

    def announce(self, *, endpoint: str, version: str, console: str = "", certificate: str = "") -> None:
        """Say that this process is ready; in the name of the platform if it carries admin."""
        self.own.announce(endpoint=endpoint, version=version, console=console, certificate=certificate)
        if self._announces:
            super().announce(endpoint=endpoint, version=version, console=console, certificate=certificate)

    def withdraw(self) -> None:
        """Say no longer that this process is ready."""
        self.own.withdraw()
        if self._announces and self.announced_by() in (os.getpid(), None):
            super().withdraw()

    def close(self) -> None:
        """Give everything up."""
        self.withdraw()
        self._stack.close()

    @property
    def log(self) -> Path:
        """The log of the services of this process."""
        return self.own.log


def _close_to_others(path: Path) -> None:
    try:
        path.chmod(0o700)
    except OSError as error:
        raise Unavailable(
            f"the folder {path} cannot be closed to others: {error.strerror}",
            reason="PLATFORM_FOLDER",
            mend="Name a folder of the process's own with --data, for example one below the mounted volume.",
        ) from error


def _open_lock(path: Path, stack: ExitStack) -> int:
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"the lock {path} cannot be opened: {error.strerror}", reason="PLATFORM_FOLDER") from error
    stack.callback(os.close, lock)
    return lock


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
