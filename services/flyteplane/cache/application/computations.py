"""Who computes what: at most one at a time for each key, for those who ask.

A reservation lives in the coordination store, so that it ends with whoever holds it. Which one counts for stores is
noted in the database before its holder is told that it has it: a holder that was paused, and wakes up when another has
taken over, is refused by the very transaction that would have stored its value.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flyteplane.cache.application.ports import Entries, Reservation, Reservations
from flyteplane.cache.application.results import Results, bounded
from flyteplane.cache.application.waiting import Waiting
from flyteplane.cache.domain.entries import MOST_ITEMS, Entry, EntryKey, Item, PutOutcome
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.foundation.tasks import BackgroundTasks

#: Bounds of a reservation's life without being extended, in seconds.
SHORTEST_TTL_S: Final = 1.0
LONGEST_TTL_S: Final = 600.0
#: Calls of the coordination store side by side.
_AT_A_TIME: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A computation that somebody wants to do."""

    key: EntryKey
    owner: str
    max_age_s: float | None = None
    """An older value does not count."""
    overwrite: bool = False
    """No value counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What became of the wish."""

    reservation: Reservation | None
    """None: there is a value."""
    entry: Entry | None = None


class Computations:
    """Reserving, extending, releasing and waiting."""

    def __init__(
        self,
        *,
        entries: Entries,
        results: Results,
        reservations: Reservations,
        waiting: Waiting,
        background: BackgroundTasks,
        clock: Clock,
    ) -> None:
        self._entries = entries
        self._results = results
        self._reservations = reservations
        self._waiting = waiting
        self._background = background
        self._clock = clock
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def reserve(self, wanted: Sequence[Wanted], *, ttl_s: float) -> list[Granted]:
        """Reserves computations, in order. Raises InvalidArgument for a time out of bounds or too many."""
        bounded(len(wanted), field="items")
        if not SHORTEST_TTL_S <= ttl_s <= LONGEST_TTL_S:
            raise InvalidArgument(
                f"a reservation lives {SHORTEST_TTL_S:g} to {LONGEST_TTL_S:g} s without being extended, not {ttl_s:g}",
                field="ttl",
                limit=f"{LONGEST_TTL_S:g} s",
                mend="Ask for less and extend it.",
            )
        taken = await asyncio.gather(*(self._take(one, ttl_s) for one in wanted))
        held = [(one.key, found.token) for one, found in zip(wanted, taken, strict=True) if found.acquired]
        in_time = dict(zip(held, await self._entries.hold(held, at=self._clock.now()), strict=True))
        values = await self._values([one for one, found in zip(wanted, taken, strict=True) if found.acquired])
        return [
            await self._granted(one, found, in_time=in_time, value=values.get(one.key), ttl_s=ttl_s)
            for one, found in zip(wanted, taken, strict=True)
        ]

    async def extend(self, held: Sequence[tuple[EntryKey, int]]) -> list[bool]:
        """Keeps reservations alive; one result for each."""
        bounded(len(held), field="items")
        return await asyncio.gather(*(self._extend(key, token) for key, token in held))

    async def release(self, held: Sequence[tuple[EntryKey, int]]) -> None:
        """Ends reservations without a value."""
        bounded(len(held), field="items")
        await asyncio.gather(*(self._release(key, token) for key, token in held))

    def put(self, items: Sequence[tuple[Item, PutOutcome]]) -> None:
        """Values are durable: those who wait for them are woken, and what they were computed under ends."""
        for item, outcome in items:
            if outcome is PutOutcome.STORED:
                self._waiting.stored(item.entry.key, item.entry)
        over = [
            (item.entry.key, item.reservation)
            for item, outcome in items
            if item.reservation and outcome is not PutOutcome.FENCED
        ]
        if over:
            # Beside the answer: who stored is not kept waiting for the coordination store.
            self._background.start(self._release_quietly(over), name="release")

    async def wait(self, keys: Sequence[EntryKey]) -> AsyncIterator[tuple[EntryKey, Entry | None]]:
        """Each key once, as soon as it has a value or can be reserved."""
        bounded(len(keys), field="keys")
        waiters = {key: self._waiting.join(key) for key in dict.fromkeys(keys)}
        try:
            # Joined first: what is stored from now on wakes us, what was stored before is found.
            for key, entry in (await self._entries.find(list(waiters))).items():
                if not waiters[key].done():
                    waiters[key].set_result(entry)
            ready: asyncio.Queue[EntryKey] = asyncio.Queue()
            for key, waiter in waiters.items():
                waiter.add_done_callback(lambda _, key=key: ready.put_nowait(key))  # type: ignore[misc]  # the default's type is not inferred
            for _ in range(len(waiters)):
                key = await ready.get()
                yield key, waiters[key].result()
        finally:
            for waiter in waiters.values():
                waiter.cancel()

    async def _granted(
        self,
        one: Wanted,
        found: Reservation,
        *,
        in_time: dict[tuple[EntryKey, int], bool],
        value: Entry | None,
        ttl_s: float,
    ) -> Granted:
        if not found.acquired:
            return Granted(reservation=found)
        if value is not None:
            await self._release(one.key, found.token)
            return Granted(reservation=None, entry=value)
        if not in_time[one.key, found.token]:
            # It was lost again before it was noted: whoever has it now is told instead.
            return (await self.reserve([one], ttl_s=ttl_s))[0]
        self._waiting.reserved(one.key)
        return Granted(reservation=found)

    async def _values(self, wanted: Sequence[Wanted]) -> dict[EntryKey, Entry]:
        """Values that were stored before the reservation was noted: nobody can store one beside it afterwards."""
        queries = [(one.key, one.max_age_s) for one in wanted if not one.overwrite]
        found = await self._results.lookup(queries) if queries else []
        return {entry.key: entry for entry in found if entry is not None}

    async def _take(self, one: Wanted, ttl_s: float) -> Reservation:
        async with self._slots:
            return await self._reservations.reserve(one.key, owner=one.owner, ttl_s=ttl_s)

    async def _extend(self, key: EntryKey, token: int) -> bool:
        async with self._slots:
            return await self._reservations.extend(key, token)

    async def _release_quietly(self, over: Sequence[tuple[EntryKey, int]]) -> None:
        # A coordination store that is away ends them by itself, somewhat later.
        with suppress(PlatformError):
            for start in range(0, len(over), MOST_ITEMS):
                await self.release(over[start : start + MOST_ITEMS])

    async def _release(self, key: EntryKey, token: int) -> None:
        async with self._slots:
            await self._reservations.release(key, token)
