"""Where workers that cannot mount anything keep files of secrets: in memory, one folder for each, mode 0700.

A worker makes its folder when it is given such a file and removes it when it exits. A worker that was killed cannot, so
the cluster removes the folder once the worker is gone, and all folders of a platform that was killed.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from flyteplane.foundation.digest import digest

_MEMORY: Final = Path("/dev/shm")
_DIGEST_CHARACTERS: Final = 16


class SecretFolders:
    """The folders of one platform's workers.

    Args:
        work: the folder of the platform's workers; names the platform, and is used where nothing lies in memory.
        memory: a file system in memory.
    """

    def __init__(self, work: Path, *, memory: Path = _MEMORY) -> None:
        self._root = work / ".secrets"
        if memory.is_dir() and os.access(memory, os.W_OK):
            self._root = memory / f"flyteplane-{os.geteuid()}-{digest(str(work).encode())[:_DIGEST_CHARACTERS]}"

    def open(self) -> None:
        """Makes an empty root that only this user may enter. Raises PermissionError if somebody else has taken its
        name.
        """
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(mode=0o700, exist_ok=True)
        status = self._root.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != 0o700:
            raise PermissionError(f"{self._root} belongs to somebody else; remove it")

    def of_worker(self, name: str) -> Path:
        """The folder of a worker; it need not exist."""
        return self._root / name

    def remove(self, name: str) -> None:
        """Removes the folder of a worker that is gone."""
        folder = self.of_worker(name)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Removes everything."""
        shutil.rmtree(self._root, ignore_errors=True)
