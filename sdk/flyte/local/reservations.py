"""Of equal serialised calls one computes and the others wait for its result, in this process and in others.

A reservation is a lock on a small file beside the cache, which the kernel gives up when its process dies. Calls of one
process take turns first, so that each file has at most one taker here.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from flyte.local.attempts import OutOfTime

_log = logging.getLogger("flyte.local")


class Reservations:
    """Reservations of cache keys; for one event loop."""

    def __init__(self) -> None:
        self._turns: dict[bytes, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def held(self, key: bytes, *, folder: Path | None, within_s: float | None) -> AsyncIterator[None]:
        """Hold the reservation of a key inside the block; without a folder among calls of this process only.

        Raises OutOfTime if it is not free in time. A folder that cannot be written is logged and does without.
        """
        lock, users = self._turns.get(key) or (asyncio.Lock(), 0)
        self._turns[key] = (lock, users + 1)
        descriptor: int | None = None
        try:
            try:
                async with asyncio.timeout(within_s):
                    await lock.acquire()
                    if folder is not None:
                        descriptor = await _locked(folder / key.hex(), turn=lock)
            except TimeoutError:
                raise OutOfTime from None
            try:
                yield
            finally:
                if descriptor is not None and folder is not None:
                    (folder / key.hex()).unlink(missing_ok=True)
                    os.close(descriptor)
                lock.release()
        finally:
            self._leave(key)

    def _leave(self, key: bytes) -> None:
        lock, users = self._turns[key]
        if users > 1:
            self._turns[key] = (lock, users - 1)
        else:
            del self._turns[key]


async def _locked(path: Path, *, turn: asyncio.Lock) -> int | None:
    """Return the descriptor of a locked file, None if there can be none.

    If that cannot be waited for, the turn goes to the next.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            await _flock(descriptor)
            if _is_at(descriptor, path):
                return descriptor
            # Whoever held it has removed the file: a lock on what is no longer there excludes nobody.
            os.close(descriptor)
    except OSError as error:
        _log.warning("Other processes cannot see what this one computes: %s", error)
        return None
    except BaseException:
        turn.release()
        raise


async def _flock(descriptor: int) -> None:
    """Lock a file. The descriptor is closed if the wait is cancelled, as soon as the lock is there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if done.cancelled():
            os.close(descriptor)
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(None)

    def wait() -> None:
        error: OSError | None = None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as failure:
            error = failure
        with suppress(RuntimeError):  # The loop is closed, and this process about to end.
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=wait, name="flyte-local-reservation", daemon=True).start()
    await done


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)
