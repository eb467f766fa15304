"""The folder of this user among the temporary files of the machine, for data that no platform keeps."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def own_temporary_folder() -> Path:
    """Return `/tmp/flyte`, or `/tmp/flyte-<user id>` if that is somebody else's; nobody else can write to it.

    What it is called can be known before, so others may have put something in its place.
    """
    for name in ("flyte", f"flyte-{os.getuid()}"):
        folder = Path(tempfile.gettempdir(), name)
        if _is_own(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="flyte-"))


def _is_own(folder: Path) -> bool:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not writable
