"""Captured output of attempts as files: `<folder>/<project>/<domain>/<run>/<action>/<attempt>.log`.

Appended as it arrives, so that a log is as complete as the worker's last word, and followed by waiting for the next
append rather than by looking again.
"""

import asyncio
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Final

from flyteplane.observe import get_logger
from flyteplane.scheduler.application.ports import OnStored, RunKey, tell_nobody
from flyteplane.scheduler.store.log_followers import LogFollowers

_log = get_logger("scheduler.logs")
_MOST_OPEN: Final = 64
#: How much is written before it is told again what is stored.
_TOLD_EVERY_BYTES: Final = 64 * 1024

_Key = tuple[RunKey, str, int]


class LogFiles:
    """Implements `LogStore` on a folder."""

    def __init__(self, folder: Path) -> None:
        self.on_stored: OnStored = tell_nobody
        self._folder = folder
        self._open: OrderedDict[_Key, FileIO] = OrderedDict()
        self._followers = LogFollowers()
        self._failed = False

    def append(self, run: RunKey, action: str, attempt: int, data: bytes, *, position: int = 0) -> None:
        """See the port."""
        try:
            file = self._file((run, action, attempt))
            known = _known(file, data, begin=position - 1) if position else 0
            file.write(data[known:])
            end = position - 1 + len(data)
            if position and end // _TOLD_EVERY_BYTES > (position - 1) // _TOLD_EVERY_BYTES:
                self.on_stored(run, action, attempt, end)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.error("logs_cannot_be_written", folder=str(self._folder), problem=str(error))
        self._followers.wake(run, action)

    async def read(self, run: RunKey, action: str, attempt: int, *, offset: int, limit: int) -> bytes:
        """See the port."""

        def work() -> bytes:
            try:
                with self._path((run, action, attempt)).open("rb") as file:
                    file.seek(offset)
                    return file.read(limit)
            except FileNotFoundError:
                return b""

        return await asyncio.to_thread(work)

    async def attempts(self, run: RunKey, action: str) -> Sequence[int]:
        """See the port."""

        def work() -> list[int]:
            folder = self._path((run, action, 0)).parent
            return sorted(int(path.stem) for path in folder.glob("*.log") if path.stem.isdigit())

        return await asyncio.to_thread(work)

    async def forget(self, run: RunKey) -> None:
        """See the port."""
        for key in [key for key in self._open if key[0] == run]:
            self._open.pop(key).close()
        await asyncio.to_thread(shutil.rmtree, self._folder / str(run), ignore_errors=True)

    async def stream(
        self, run: RunKey, action: str, attempt: int, *, ended: Callable[[], bool], changed: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """See the port."""

        async def read(offset: int, limit: int) -> bytes:
            return await self.read(run, action, attempt, offset=offset, limit=limit)

        async for piece in self._followers.stream(run, action, read=read, ended=ended, changed=changed):
            yield piece

    def notify(self, run: RunKey, action: str) -> None:
        """See the port."""
        self._followers.wake(run, action)

    async def close(self) -> None:
        """Closes all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _file(self, key: _Key) -> FileIO:
        file = self._open.get(key)
        if file is not None:
            self._open.move_to_end(key)
            return file
        if len(self._open) >= _MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
        self._open[key] = file
        return file

    def _path(self, key: _Key) -> Path:
        run, action, attempt = key
        return self._folder / run.project / run.domain / run.name / action / f"{attempt}.log"


def _known(file: FileIO, data: bytes, *, begin: int) -> int:
    """How much of the data is in the file already, at the place where it belongs."""
    stored = os.pread(file.fileno(), len(data), begin)
    return len(stored) if data.startswith(stored) else 0
