"""What the agent and the worker of a container share on its disk: a private folder, and a socket in it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

_BACKLOG: Final = 100
_MOST_FOLDER_BYTES: Final = 96
"""A socket's address has room for 107, and the socket has a name in the folder."""


class Workplace:
    """Makes both. Raises OSError."""

    def __init__(self) -> None:
        self.folder: Final = _private_folder()
        self.data_path: Final = str(self.folder / "data")
        """Where the worker asks for the platform's objects. It may do so before the agent can answer."""
        self.listener: Final = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.data_path)
        self.listener.listen(_BACKLOG)


def _private_folder() -> Path:
    name = f"flyte-worker-{os.urandom(8).hex()}"
    folder = Path(os.environ.get("TMPDIR") or "/tmp") / name
    if len(os.fsencode(folder)) > _MOST_FOLDER_BYTES:
        folder = Path("/tmp") / name
    folder.mkdir(mode=0o700)
    return folder
