"""Captured output in the object store, for platforms whose processes share no folder.

Output is kept in memory for some seconds, or until there is much of it, and then stored as a segment; at the end of an
attempt at once. Until then workers that can say it again, such as pods, keep it too (`on_stored`): so a scheduler that
is killed loses what an attempt wrote that ended in that moment, and nothing else. Who follows a log is given what is
not stored yet as well. While the store is away output waits in memory, up to a limit.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.objects.removal import remove_below
from flyteplane.observe import get_logger
from flyteplane.scheduler.application.ports import tell_nobody
from flyteplane.scheduler.store.log_followers import LogFollowers
from flyteplane.scheduler.store.log_segments import LogSegments, action_prefix, run_prefix, stored_attempts

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Timer, TimerClock
    from flyteplane.objects import ObjectStore
    from flyteplane.scheduler.application.ports import OnStored, RunKey

_log = get_logger("scheduler.logs")
#: How long output stays in memory alone.
FLUSH_S: Final = 3.0
_AGAIN_S: Final = 5.0
_SEGMENT_BYTES: Final = 256 * 1024
#: What may wait for a store that is away, of all attempts together.
_MOST_UNWRITTEN_BYTES: Final = 64 << 20
_MOST_KNOWN: Final = 2000
_WRITES_AT_A_TIME: Final = 8
_CLOSE_WITHIN_S: Final = 5.0

_Key: TypeAlias = "tuple[RunKey, str, int]"


class LogObjects:
    """Implements `FollowedLogs` on the object store."""

    def __init__(
        self, objects: ObjectStore, *, clock: TimerClock, most_unwritten_bytes: int = _MOST_UNWRITTEN_BYTES
    ) -> None:
        self.on_stored: OnStored = tell_nobody
        self._objects = objects
        self._clock = clock
        self._known: OrderedDict[_Key, LogSegments] = OrderedDict()
        self._forget_above = _MOST_KNOWN
        self._due: dict[_Key, Timer] = {}
        self._due_of: dict[tuple[RunKey, str], set[int]] = {}
        """Attempts of an action that have something due: many actions may, when one of them ends."""
        self._writing: set[_Key] = set()
        self._room_bytes = most_unwritten_bytes
        self._slots = asyncio.Semaphore(_WRITES_AT_A_TIME)
        self._followers = LogFollowers()
        self._background = BackgroundTasks("logs")
        self._failing = False
        self._lost_bytes = 0

    def append(self, run: RunKey, action: str, attempt: int, data: bytes, *, position: int = 0) -> None:
        """See the port."""
        if len(data) > self._room_bytes:
            if not self._lost_bytes:
                _log.error("output_is_lost", problem="the object store is away and memory for output is full")
            self._lost_bytes += len(data)
            return
        key = (run, action, attempt)
        log = self._of(key)
        self._room_bytes -= log.append(data, position=position)
        if len(log.unwritten) >= _SEGMENT_BYTES and not self._failing:
            self._write_now(key)
        elif key not in self._due:
            self._write_later(key, FLUSH_S)
        self._followers.wake(run, action)

    async def read(self, run: RunKey, action: str, attempt: int, *, offset: int, limit: int) -> bytes:
        """See the port. Raises Unavailable."""
        return await self._of((run, action, attempt)).read(offset, limit)

    async def attempts(self, run: RunKey, action: str) -> Sequence[int]:
        """See the port. Raises Unavailable."""
        # Looked at first: what is stored by the time of the listing is then in one of the two, and perhaps in both.
        known = {key[2] for key, log in self._known.items() if key[:2] == (run, action) and log.unwritten}
        return sorted(known | await stored_attempts(self._objects, run, action))

    async def forget(self, run: RunKey) -> None:
        """See the port."""
        for key in [key for key in self._known if key[0] == run]:
            del self._known[key]
        await remove_below(self._objects, run_prefix(run))

    async def stream(
        self, run: RunKey, action: str, attempt: int, *, ended: Callable[[], bool], changed: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """See the port. Raises Unavailable."""

        async def read(offset: int, limit: int) -> bytes:
            return await self.read(run, action, attempt, offset=offset, limit=limit)

        async for piece in self._followers.stream(run, action, read=read, ended=ended, changed=changed):
            yield piece

    def notify(self, run: RunKey, action: str) -> None:
        """See the port."""
        for attempt in tuple(self._due_of.get((run, action), ())):
            self._write_now((run, action, attempt))
        self._followers.wake(run, action)

    async def close(self) -> None:
        """Stores what is left; gives up after some seconds if the store is away."""
        left = [key for key, log in self._known.items() if log.unwritten]
        for key in left:
            self._write_now(key)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._background.join()
        for timer in self._due.values():
            timer.cancel()
        await self._background.stop()

    def _of(self, key: _Key) -> LogSegments:
        log = self._known.get(key)
        if log is None:
            run, action, attempt = key
            self._forget_idle()
            log = self._known[key] = LogSegments(self._objects, prefix=f"{action_prefix(run, action)}{attempt}/")
        self._known.move_to_end(key)
        return log

    def _forget_idle(self) -> None:
        """Looks at all of them only once they have doubled: most of them may be at work."""
        if len(self._known) >= self._forget_above:
            idle = [key for key, log in self._known.items() if not log.unwritten and key not in self._writing]
            for key in idle[: max(0, len(self._known) - _MOST_KNOWN // 2)]:
                del self._known[key]
            self._forget_above = max(_MOST_KNOWN, 2 * len(self._known))

    def _write_later(self, key: _Key, delay_s: float) -> None:
        self._due[key] = self._clock.call_later(delay_s, lambda: self._write_now(key))
        self._due_of.setdefault(key[:2], set()).add(key[2])

    def _write_now(self, key: _Key) -> None:
        timer = self._due.pop(key, None)
        if timer is not None:
            timer.cancel()
            attempts = self._due_of[key[:2]]
            attempts.discard(key[2])
            if not attempts:
                del self._due_of[key[:2]]
        if key not in self._writing:
            self._writing.add(key)
            self._background.start(self._write(key), name="write log")

    async def _write(self, key: _Key) -> None:
        log = self._of(key)
        try:
            while log.unwritten or log.left_out_bytes:
                async with self._slots:
                    self._room_bytes += await log.write()
                self._works_again()
                if log.stored_position:
                    self.on_stored(*key, log.stored_position)
        except PlatformError as error:
            if not self._failing:
                self._failing = True
                _log.error("logs_cannot_be_stored", problem=error.public_text)
            if key not in self._due:
                self._write_later(key, _AGAIN_S)
        finally:
            self._writing.discard(key)

    def _works_again(self) -> None:
        if self._failing or self._lost_bytes:
            _log.info("logs_are_stored_again", lost_bytes=self._lost_bytes)
        self._failing, self._lost_bytes = False, 0
