"""Reservations in the coordination store.

A reservation is one key that ends with a lease of its own. The key's creation revision is the fencing token: it grows
with every new owner, and a store under an older one is refused.
"""

from flyteplane.cache.application.ports import Reservation
from flyteplane.cache.domain.entries import EntryKey
from flyteplane.coordination.port import Coordination
from flyteplane.coordination.values import Delete, Put, absent, created_at
from flyteplane.foundation.errors import NotFound

_PREFIX = "cache/reservations/"


class CoordinatedReservations:
    """Implements `Reservations`."""

    def __init__(self, coordination: Coordination) -> None:
        self._coordination = coordination

    async def reserve(self, key: EntryKey, *, owner: str, ttl_s: float) -> Reservation:
        """See the port."""
        name = _name(key)
        while True:
            lease = await self._coordination.grant(ttl_s)
            put = Put(name, owner.encode(), lease_id=lease)
            result = await self._coordination.txn(when=[absent(name)], then=[put])
            if not result.succeeded:
                await self._coordination.revoke(lease)
            held = await self._coordination.get(name)
            if held is None:
                continue
            left = await self._coordination.time_to_live(held.lease_id)
            holder = held.value.decode()
            return Reservation(
                owner=holder, token=held.create_revision, expires_in_s=left or 0.0, acquired=holder == owner
            )

    async def extend(self, key: EntryKey, token: int) -> bool:
        """See the port."""
        held = await self._coordination.get(_name(key))
        if held is None or held.create_revision != token:
            return False
        try:
            await self._coordination.keep_alive(held.lease_id)
        except NotFound:
            return False
        return True

    async def release(self, key: EntryKey, token: int) -> None:
        """See the port."""
        name = _name(key)
        await self._coordination.txn(when=[created_at(name, token)], then=[Delete(name)])

    async def holds(self, key: EntryKey, token: int) -> bool:
        """See the port."""
        held = await self._coordination.get(_name(key))
        return held is not None and held.create_revision == token

    async def free(self, key: EntryKey) -> None:
        """See the port."""
        name = _name(key)
        async with self._coordination.mirror(name) as mirror:
            if name not in mirror.snapshot:
                return
            async for _ in mirror:
                if name not in mirror.snapshot:
                    return


def _name(key: EntryKey) -> str:
    return f"{_PREFIX}{key.project}/{key.domain}/{key.digest.hex()}"
