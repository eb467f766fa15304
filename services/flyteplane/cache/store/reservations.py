"""Reservations in the coordination store.

A reservation is one key that ends with a lease of its own. Its token is made of the key's creation revision, which
grows with every new owner, and of the era of the coordination store: a store that has begun anew, as the one in memory
does with every process, counts its revisions from the start, and its tokens have to be greater all the same.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from flyteplane.cache.application.ports import Departures, Reservation
from flyteplane.cache.domain.entries import EntryKey
from flyteplane.coordination.port import Coordination, Mirror
from flyteplane.coordination.values import Delete, KeyValue, Put, absent, created_at, holds
from flyteplane.foundation.errors import NotFound

_PREFIX: Final = "cache/reservations/"
_ERA: Final = "cache/era"
#: Bits of a token below the era; revisions of 44 bits last for 500 years of 1,000 writes a second.
_REVISION_BITS: Final = 44
_REVISIONS: Final = (1 << _REVISION_BITS) - 1


class CoordinatedReservations:
    """Implements `Reservations`.

    Args:
        next_era: gives a number that was never given before.
    """

    def __init__(self, coordination: Coordination, *, next_era: Callable[[], Awaitable[int]]) -> None:
        self._coordination = coordination
        self._next_era = next_era

    async def reserve(self, key: EntryKey, *, owner: str, ttl_s: float) -> Reservation:
        """See the port."""
        name = _name(key)
        while True:
            # The era first: a token of an emptied store must not be dressed up as one of its successor.
            era = await self._era()
            held = await self._coordination.get(name)
            if held is not None:
                left = await self._coordination.time_to_live(held.lease_id)
                if left is None:
                    # It has ended since, and its key with it.
                    continue
                return _known(held, owner=owner, era=era, expires_in_s=left)
            lease = await self._coordination.grant(ttl_s)
            # The era is compared too: a store that was emptied in between has lost it.
            when = [absent(name), holds(_ERA, str(era).encode())]
            result = await self._coordination.txn(when=when, then=[Put(name, owner.encode(), lease_id=lease)])
            if result.succeeded:
                return Reservation(owner=owner, token=_token(era, result.revision), expires_in_s=ttl_s, acquired=True)
            await self._coordination.revoke(lease)

    async def extend(self, key: EntryKey, token: int) -> bool:
        """See the port."""
        held = await self._coordination.get(_name(key))
        if held is None or held.create_revision != token & _REVISIONS:
            return False
        try:
            await self._coordination.keep_alive(held.lease_id)
        except NotFound:
            return False
        return True

    async def release(self, key: EntryKey, token: int) -> None:
        """See the port."""
        name = _name(key)
        await self._coordination.txn(when=[created_at(name, token & _REVISIONS)], then=[Delete(name)])

    @asynccontextmanager
    async def departures(self) -> AsyncIterator[Departures]:
        """See the port."""
        async with self._coordination.mirror(_PREFIX) as mirror:
            yield _Departures(mirror)

    async def _era(self) -> int:
        while True:
            known = await self._coordination.get(_ERA)
            if known is not None:
                return int(known.value)
            era = await self._next_era()
            await self._coordination.txn(when=[absent(_ERA)], then=[Put(_ERA, str(era).encode())])


class _Departures:
    """Implements `Departures` over a mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def holds(self, key: EntryKey) -> bool:
        """See the port."""
        return _name(key) in self._mirror.snapshot

    async def __aiter__(self) -> AsyncIterator[Sequence[EntryKey]]:
        """See the port."""
        async for changes in self._mirror:
            freed = [_key(change.key) for change in changes if change.current is None]
            if freed:
                yield freed


def _known(held: KeyValue, *, owner: str, era: int, expires_in_s: float) -> Reservation:
    holder = held.value.decode()
    token = _token(era, held.create_revision)
    return Reservation(owner=holder, token=token, expires_in_s=expires_in_s, acquired=holder == owner)


def _token(era: int, revision: int) -> int:
    return era << _REVISION_BITS | revision


def _name(key: EntryKey) -> str:
    return f"{_PREFIX}{key.project}/{key.domain}/{key.digest.hex()}"


def _key(name: str) -> EntryKey:
    project, domain, digest = name.removeprefix(_PREFIX).split("/")
    return EntryKey(project, domain, bytes.fromhex(digest))
