"""Those who wait for a computation that somebody else does, and who of them is woken when.

A value wakes everybody who waits for its key. A reservation that has ended without one wakes the first of them only:
all of them could do no more than ask, and all but one would wait again. If the one that was woken does not reserve the
key in time, its process may be gone, and the next is woken.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from flyteplane.cache.application.ports import Departures, Reservations
from flyteplane.cache.domain.entries import Entry, EntryKey
from flyteplane.foundation.clock import Timer, TimerClock
from flyteplane.foundation.errors import PlatformError, Unavailable

#: How long the one that was woken has to reserve the key before the next is woken.
TURN_S: Final = 2.0

_Waiter: TypeAlias = "asyncio.Future[Entry | None]"


class Waiting:
    """Waiters by key, in the order in which they came. One mirror of the reservations serves all of them."""

    def __init__(self, reservations: Reservations, *, clock: TimerClock) -> None:
        self._reservations = reservations
        self._clock = clock
        self._waiters: dict[EntryKey, dict[_Waiter, None]] = {}
        self._turns: dict[EntryKey, Timer] = {}
        self._departures: Departures | None = None
        self._following: asyncio.Task[None] | None = None

    def join(self, key: EntryKey) -> _Waiter:
        """A future that is answered with the value that was stored, or with None once the caller may reserve the key.

        It raises Unavailable when nobody can say any more. Cancel it to wait no longer.
        """
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(key, {})[waiter] = None
        waiter.add_done_callback(lambda done: self._leave(key, done))
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow(), name="cache.reservations")
        elif self._departures is not None:
            self._wake_first_if_free(key)
        return waiter

    def stored(self, key: EntryKey, entry: Entry) -> None:
        """A value is there."""
        for waiter in tuple(self._waiters.get(key, ())):
            if not waiter.done():
                waiter.set_result(entry)

    def reserved(self, key: EntryKey) -> None:
        """Somebody has the key now: whoever was woken need not be waited for."""
        turn = self._turns.pop(key, None)
        if turn is not None:
            turn.cancel()

    def __len__(self) -> int:
        return sum(len(waiters) for waiters in self._waiters.values())

    async def close(self) -> None:
        """Wakes nobody any more; whoever waits is told so."""
        for turn in self._turns.values():
            turn.cancel()
        self._refuse_all("the cache is being stopped")
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def _follow(self) -> None:
        try:
            async with self._reservations.departures() as departures:
                self._departures = departures
                for key in tuple(self._waiters):
                    self._wake_first_if_free(key)
                async for keys in departures:
                    self._freed(keys)
            self._refuse_all("the coordination store has ended")
        except PlatformError as error:
            self._refuse_all(str(error))
        finally:
            self._departures = self._following = None

    def _freed(self, keys: Sequence[EntryKey]) -> None:
        for key in keys:
            self._wake_first_if_free(key)

    def _wake_first_if_free(self, key: EntryKey) -> None:
        if key in self._turns or self._departures is None or self._departures.holds(key):
            return
        first = next((waiter for waiter in self._waiters.get(key, ()) if not waiter.done()), None)
        if first is not None:
            self._turns[key] = self._clock.call_later(TURN_S, lambda: self._missed(key))
            first.set_result(None)

    def _missed(self, key: EntryKey) -> None:
        self._turns.pop(key, None)
        self._wake_first_if_free(key)

    def _leave(self, key: EntryKey, waiter: _Waiter) -> None:
        waiters = self._waiters.get(key)
        if waiters is not None:
            waiters.pop(waiter, None)
            if not waiters:
                del self._waiters[key]

    def _refuse_all(self, reason: str) -> None:
        for waiters in tuple(self._waiters.values()):
            for waiter in tuple(waiters):
                if not waiter.done():
                    waiter.set_exception(Unavailable(f"reservations cannot be followed: {reason}"))
