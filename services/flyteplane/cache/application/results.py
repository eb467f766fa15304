"""Looking up, storing, waiting and deleting."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from flyteplane.cache.application.ports import Entries, Reservation, Reservations, Selection
from flyteplane.cache.domain.entries import MOST_ITEMS, Entry, EntryKey, PutOutcome, is_usable
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument

#: Bounds of a reservation's life without being extended, in seconds.
SHORTEST_TTL_S = 1.0
LONGEST_TTL_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A result to store."""

    entry: Entry
    overwrite: bool = False
    reservation: int = 0
    """Token under which it was computed; 0: none was taken."""


class Results:
    """The cache's use cases. Every hit is the outputs of one successful attempt with the same key."""

    def __init__(self, *, entries: Entries, reservations: Reservations, clock: Clock) -> None:
        self._entries = entries
        self._reservations = reservations
        self._clock = clock
        self._stored: dict[EntryKey, asyncio.Event] = {}

    async def lookup(self, queries: Sequence[tuple[EntryKey, float | None]]) -> list[Entry | None]:
        """One result for each key with its greatest age in seconds, in order. Raises InvalidArgument for too many."""
        _bounded(len(queries), field="queries")
        found = await self._entries.find([key for key, _ in queries])
        now = self._clock.now()
        return [
            entry if (entry := found.get(key)) is not None and is_usable(entry, max_age_s=age, now=now) else None
            for key, age in queries
        ]

    async def put(self, items: Sequence[Item]) -> list[PutOutcome]:
        """Stores a batch in one transaction. A result that was computed under a lost reservation is left out."""
        _bounded(len(items), field="items")
        now = self._clock.now()
        holding = [await self._may_store(item) for item in items]
        allowed = [
            (replace(item.entry, created_at=now), item.overwrite)
            for item, holds in zip(items, holding, strict=True)
            if holds
        ]
        stored = iter(await self._entries.put(allowed))
        outcomes = [_outcome(next(stored)) if holds else PutOutcome.FENCED for holds in holding]
        await self._computed([item for item, holds in zip(items, holding, strict=True) if holds])
        return outcomes

    async def reserve(self, key: EntryKey, *, owner: str, ttl_s: float) -> Reservation:
        """Reserves a computation. Raises InvalidArgument for a time out of bounds."""
        if not SHORTEST_TTL_S <= ttl_s <= LONGEST_TTL_S:
            raise InvalidArgument(
                f"a reservation lives {SHORTEST_TTL_S:g} to {LONGEST_TTL_S:g} s without being extended, not {ttl_s:g}",
                field="ttl",
                limit=f"{LONGEST_TTL_S:g} s",
                mend="Ask for less and extend it.",
            )
        return await self._reservations.reserve(key, owner=owner, ttl_s=ttl_s)

    async def extend(self, items: Sequence[tuple[EntryKey, int]]) -> list[bool]:
        """Keeps reservations alive."""
        _bounded(len(items), field="items")
        return [await self._reservations.extend(key, token) for key, token in items]

    async def release(self, key: EntryKey, token: int) -> None:
        """Ends a reservation without a value."""
        await self._reservations.release(key, token)

    async def wait(self, keys: Sequence[EntryKey]) -> AsyncIterator[tuple[EntryKey, Entry | None]]:
        """Each key once, as soon as it has a value or can be reserved."""
        _bounded(len(keys), field="keys")
        waiting = [asyncio.ensure_future(self._wait_one(key)) for key in dict.fromkeys(keys)]
        try:
            for ready in asyncio.as_completed(waiting):
                yield await ready
        finally:
            for task in waiting:
                task.cancel()

    async def delete(self, selection: Selection) -> int:
        """Deletes entries. Raises InvalidArgument for a selection of everything."""
        if not selection.task_name and not selection.digests:
            raise InvalidArgument("name a task or keys to delete", field="task_name", mend="Give a task's full name.")
        return await self._entries.delete(selection)

    async def page(
        self, *, project: str, domain: str, task_name: str, before: tuple[float, bytes] | None, limit: int
    ) -> Sequence[Entry]:
        """Entries of a scope, newest first."""
        return await self._entries.page(project=project, domain=domain, task_name=task_name, before=before, limit=limit)

    async def _wait_one(self, key: EntryKey) -> tuple[EntryKey, Entry | None]:
        stored = self._stored.setdefault(key, asyncio.Event())
        entry = (await self._entries.find([key])).get(key)
        if entry is not None:
            return key, entry
        free = asyncio.ensure_future(self._reservations.free(key))
        value = asyncio.ensure_future(stored.wait())
        try:
            await asyncio.wait((free, value), return_when=asyncio.FIRST_COMPLETED)
        finally:
            free.cancel()
            value.cancel()
        return key, (await self._entries.find([key])).get(key)

    async def _may_store(self, item: Item) -> bool:
        return not item.reservation or await self._reservations.holds(item.entry.key, item.reservation)

    async def _computed(self, items: Sequence[Item]) -> None:
        for item in items:
            event = self._stored.pop(item.entry.key, None)
            if event is not None:
                event.set()
            if item.reservation:
                await self._reservations.release(item.entry.key, item.reservation)


def _outcome(stored: bool) -> PutOutcome:
    return PutOutcome.STORED if stored else PutOutcome.EXISTED


def _bounded(count: int, *, field: str) -> None:
    if count > MOST_ITEMS:
        raise InvalidArgument(
            f"{count} in one request", field=field, limit=f"{MOST_ITEMS}", mend="Send several requests."
        )
