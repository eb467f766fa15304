"""What tasks tell the test while they run: lines of JSON through a named pipe, so that nothing is polled."""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path
from typing import Any


class Announcements:
    """Reads what tasks write to `path`, a line each."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        os.mkfifo(path)
        # Open for writing as well, so that the pipe never ends and writers never wait for a reader.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._left = b""

    def next(self, *, within_s: float = 30.0) -> dict[str, Any]:
        """Waits for the next line. Fails when none comes in time."""
        deadline = time.monotonic() + within_s
        while b"\n" not in self._left:
            readable, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0))
            assert readable, f"no task said anything within {within_s:g} s"
            self._left += os.read(self._descriptor, 65536)
        line, _, self._left = self._left.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """Stops listening."""
        os.close(self._descriptor)
