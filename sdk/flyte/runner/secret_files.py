"""Secrets that a task asked for as files.

They appear under /etc/flyte/secrets, on a file system in memory that only this worker sees, where the worker may make
one (it needs to be root), or where its pod has mounted one. Otherwise they appear in a private folder that the platform
made for this worker and removes with it. Either way `FLYTE_SECRETS_DIR` names the folder, files can be read by their
owner alone, and they are gone when the last attempt that asked for them has ended.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from flyte.runner.linux import mount_private_memory

_log = logging.getLogger("flyte.runner")

SECRETS_FOLDER: Final = PurePosixPath("/etc/flyte/secrets")
SECRETS_VARIABLE: Final = "FLYTE_SECRETS_DIR"


class SecretFiles:
    """Writes and removes the files.

    Args:
        private_folder: used where nothing can be mounted; "" if there is none.
        may_mount: whether to try to mount.
        in_memory: `private_folder` is there already, in memory and this worker's alone.
    """

    def __init__(self, private_folder: str, *, may_mount: bool, in_memory: bool = False) -> None:
        self._private_folder = private_folder
        self._may_mount = may_mount and not in_memory
        self._in_memory = in_memory
        self._root: Path | None = None
        self._wanted: Counter[str] = Counter()

    def write(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Writes files given by absolute path; returns variables for the task. Raises ValueError, OSError."""
        if not files:
            return {}
        root = self._prepare()
        for path, content in files.items():
            target = root / _below_secrets_folder(path)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._wanted[path] += 1
            _write_private(target, content, mode=0o400 if self._in_memory else 0o600)
        return {SECRETS_VARIABLE: str(root)}

    def remove(self, files: Mapping[str, bytes]) -> None:
        """Removes files that no other attempt wants."""
        for path in files:
            self._wanted[path] -= 1
            if self._wanted[path] <= 0 and self._root is not None:
                del self._wanted[path]
                (self._root / _below_secrets_folder(path)).unlink(missing_ok=True)

    def close(self) -> None:
        """Removes the private folder, if one was used."""
        if self._root is not None and str(self._root) == self._private_folder and not self._in_memory:
            import shutil

            shutil.rmtree(self._root, ignore_errors=True)

    def _prepare(self) -> Path:
        if self._root is None:
            self._root = (_mounted() if self._may_mount else None) or self._private()
        return self._root

    def _private(self) -> Path:
        if not self._private_folder:
            raise OSError("there is no folder for files of secrets, and none can be mounted without being root")
        root = Path(self._private_folder)
        if self._in_memory:
            return root
        # A folder that is there already was made by somebody else, who could read what is written to it.
        root.mkdir(mode=0o700)
        return root


def _mounted() -> Path | None:
    try:
        os.makedirs(SECRETS_FOLDER, mode=0o700, exist_ok=True)
        mount_private_memory(str(SECRETS_FOLDER))
    except OSError as error:
        _log.info("secrets cannot be mounted at %s: %s", SECRETS_FOLDER, error)
        return None
    return Path(SECRETS_FOLDER)


def _below_secrets_folder(path: str) -> PurePosixPath:
    pure = PurePosixPath(path)
    if not pure.is_relative_to(SECRETS_FOLDER) or ".." in pure.parts or pure == SECRETS_FOLDER:
        raise ValueError(f"a secret cannot be written to {path}; secrets are files below {SECRETS_FOLDER}")
    return pure.relative_to(SECRETS_FOLDER)


def _write_private(path: Path, content: bytes, *, mode: int) -> None:
    """Writes beside the file and puts it in its place: another attempt may read it, and nobody may write to it."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    beside.replace(path)
