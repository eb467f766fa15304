"""Where workers that cannot mount anything keep files of secrets: in memory, one folder for each, mode 0700.

A worker makes its folder when it is given such a file and removes it when it exits. A worker that was killed cannot, so
the cluster removes the folder once the worker is gone, and all folders of a platform that was killed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from flyteplane.foundation.digest import digest

_MEMORY: Final = Path("/dev/shm")
#: Hexadecimal; enough to tell the platforms of one machine apart.
_DIGEST_CHARACTERS: Final = 16


class SecretFolders:
    """The folders of one platform's workers.

    Args:
        work: the folder of the platform's workers; names the platform, and is used where nothing lies in memory.
        memory: a file system in memory.
    """

    def __init__(self, work: Path, *, memory: Path = _MEMORY) -> None:
        self._parent, self._prefix = work, ".secrets-"
        if memory.is_dir() and os.access(memory, os.W_OK):
            # Anybody may make folders there. The name is this platform's, and a worker refuses a folder that exists.
            platform = digest(str(work).encode())[:_DIGEST_CHARACTERS]
            self._parent, self._prefix = memory, f"flyteplane-{os.geteuid()}-{platform}-"

    def of_worker(self, name: str) -> Path:
        """The folder of a worker; it need not exist."""
        return self._parent / f"{self._prefix}{name}"

    def remove(self, name: str) -> None:
        """Removes the folder of a worker that is gone."""
        _remove(self.of_worker(name))

    def sweep(self) -> None:
        """Removes the folders of all workers."""
        if self._parent.is_dir():
            for folder in self._parent.glob(f"{self._prefix}*"):
                _remove(folder)


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
