"""What the cache needs from the outside."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from flyteplane.cache.domain.entries import Entry, EntryKey, Item, PutOutcome
from flyteplane.cache.domain.limits import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Entries of one scope: all conditions that are given hold together."""

    project: str = ""
    domain: str = ""
    task_name: str = ""
    cache_version: str = ""
    created_before: float | None = None
    digests: tuple[bytes, ...] = ()


class Entries(Protocol):
    """Durable results. Methods raise Unavailable while the store cannot be asked."""

    async def find(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """The entries that are there."""

    async def put(self, items: Sequence[Item]) -> Sequence[PutOutcome]:
        """Stores results in one transaction, each as `put_outcome` says of what is there in that transaction."""

    async def hold(self, tokens: Sequence[tuple[EntryKey, int]], *, at: float) -> Sequence[bool]:
        """Notes the tokens that hold keys from now on, in one transaction. False for one that came too late: a greater
        one holds the key already."""

    async def touch(self, keys: Sequence[EntryKey], *, at: float) -> None:
        """Notes that entries were used."""

    async def remove(self, entries: Sequence[Entry]) -> int:
        """Removes these very entries; one that was replaced since stays. Returns how many."""

    async def delete(self, selection: Selection) -> Totals:
        """Deletes entries; returns how much."""

    async def page(self, selection: Selection, *, before: tuple[float, bytes] | None, limit: int) -> Sequence[Entry]:
        """Entries without outputs, newest first, after the position `before` (creation time, digest)."""

    async def totals(self) -> Totals:
        """How much there is."""

    async def evict(self, much: Totals, *, most: int) -> Totals:
        """Deletes what was not used for the longest time until that much is gone, at most `most` entries at a time;
        returns how much that was."""

    async def expire(self, *, created_before: float, most: int) -> Totals:
        """Deletes what is older, at most `most` entries at a time; returns how much that was."""

    async def forget_tokens(self, *, held_before: float) -> None:
        """Forgets tokens that have held their keys for so long that nobody computes under them any more."""

    async def next_era(self) -> int:
        """A number that was never given before, from 1 on."""

    async def close(self) -> None:
        """Writes what is queued and lets go of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The right to compute a key."""

    owner: str
    token: int
    """Grows with every new owner: the fencing token of stores under this reservation."""
    expires_in_s: float
    acquired: bool


class Departures(Protocol):
    """Reservations as they are, and as they end."""

    def holds(self, key: EntryKey) -> bool:
        """True while somebody has the key."""

    def __aiter__(self) -> AsyncIterator[Sequence[EntryKey]]:
        """Keys as they come free."""


class Reservations(Protocol):
    """Who computes what. A reservation that is not extended ends. Methods raise Unavailable."""

    async def reserve(self, key: EntryKey, *, owner: str, ttl_s: float) -> Reservation:
        """Takes the reservation if nobody has it, or says who does. The same owner gets the same one again."""

    async def extend(self, key: EntryKey, token: int) -> bool:
        """Keeps a reservation alive. False: it is lost."""

    async def release(self, key: EntryKey, token: int) -> None:
        """Ends a reservation. Idempotent; somebody else's is not touched."""

    def departures(self) -> AbstractAsyncContextManager[Departures]:
        """Follows all reservations."""


class StoredObjects(Protocol):
    """The data that outputs refer to."""

    async def missing(self, addresses: Sequence[str]) -> Sequence[str]:
        """Those whose data is gone. What lies elsewhere, where the platform cannot look, counts as there. Raises
        Unavailable."""
