"""What the cache needs from the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flyteplane.cache.domain.entries import Entry, EntryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Entries to delete: all conditions that are given hold together."""

    project: str = ""
    domain: str = ""
    task_name: str = ""
    cache_version: str = ""
    created_before: float | None = None
    digests: tuple[bytes, ...] = ()


class Entries(Protocol):
    """Durable results."""

    async def find(self, keys: Sequence[EntryKey]) -> Mapping[EntryKey, Entry]:
        """The entries that are there."""

    async def put(self, items: Sequence[tuple[Entry, bool]]) -> Sequence[bool]:
        """Stores entries in one transaction; the flag replaces what is there. False where a value stayed as it was."""

    async def delete(self, selection: Selection) -> int:
        """Deletes entries; returns how many."""

    async def page(
        self, *, project: str, domain: str, task_name: str, before: tuple[float, bytes] | None, limit: int
    ) -> Sequence[Entry]:
        """Entries of a scope without outputs, newest first, after the position `before` (creation time, digest)."""

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


class Reservations(Protocol):
    """Who computes what. A reservation that is not extended ends."""

    async def reserve(self, key: EntryKey, *, owner: str, ttl_s: float) -> Reservation:
        """Takes the reservation if nobody has it, or says who does. The same owner gets the same one again."""

    async def extend(self, key: EntryKey, token: int) -> bool:
        """Keeps a reservation alive. False: it is lost."""

    async def release(self, key: EntryKey, token: int) -> None:
        """Ends a reservation. Idempotent; somebody else's is not touched."""

    async def holds(self, key: EntryKey, token: int) -> bool:
        """True while the reservation is the current one."""

    async def free(self, key: EntryKey) -> None:
        """Waits until nobody holds the key."""
