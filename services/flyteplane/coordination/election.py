"""Electing a leader, and fencing it.

A leader owns the key `leaders/<name>`, bound to its lease. The epoch is the creation revision of that key: a later
leader always has a greater one. Knowing that one leads is never enough to write: a paused process may go on after its
lease has ended, so every protected write compares the epoch in its own transaction.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from flyteplane.coordination.keeper import HeldLease
from flyteplane.coordination.values import Delete, Put, absent, created_at
from flyteplane.foundation.errors import Aborted
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.coordination.port import Coordination

_log = get_logger("coordination")

_PREFIX: Final = "leaders/"


def leader_key(name: str) -> str:
    """The key that the leader of `name` owns."""
    return _PREFIX + name


class Leadership:
    """The lead of one name, from the election to its loss.

    Attributes:
        name: what is led.
        epoch: the creation revision of the leader's key; greater than that of every leader before.
        lost: set when the key or the lease is gone, or after `resign`. Stop writing then.
    """

    def __init__(self, coordination: "Coordination", name: str, epoch: int, lease: HeldLease) -> None:
        self.name = name
        self.epoch = epoch
        self.lost = asyncio.Event()
        self._coordination = coordination
        self._lease = lease
        self._task = asyncio.get_running_loop().create_task(self._watch(), name=f"leadership {name}")

    async def _watch(self) -> None:
        gone = asyncio.ensure_future(_until_replaced(self._coordination, self.name, self.epoch))
        lease_lost = asyncio.ensure_future(self._lease.lost.wait())
        try:
            await asyncio.wait([gone, lease_lost], return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and (error := gone.exception()) is not None:
                _log.error("lead_not_watched", service=self.name, problem=str(error))
        finally:
            gone.cancel()
            lease_lost.cancel()
            self.lost.set()

    async def resign(self) -> None:
        """Give the lead away at once; the lease lives on. May be called again."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self.lost.set()
        key = leader_key(self.name)
        await self._coordination.txn(when=[created_at(key, self.epoch)], then=[Delete(key)])


async def elect(coordination: "Coordination", name: str, *, lease: HeldLease, value: bytes = b"") -> Leadership:
    """Wait until this process leads `name`.

    Args:
        lease: held by this process; its loss is the loss of the lead.
        value: what others may know of the leader, such as its address.

    Raises:
        Aborted: the lease was lost while waiting (LEASE_LOST).
        Unavailable: the store cannot be reached.
    """
    key = leader_key(name)
    while not lease.lost.is_set():
        result = await coordination.txn(when=[absent(key)], then=[Put(key, value, lease.lease_id)])
        if result.succeeded:
            return Leadership(coordination, name, result.revision, lease)
        held = await coordination.get(key)
        if held is None:
            continue
        if held.lease_id == lease.lease_id:
            # An earlier try of ours took effect although its answer was lost.
            return Leadership(coordination, name, held.create_revision, lease)
        await _first(_until_replaced(coordination, name, held.create_revision), lease.lost.wait())
    raise Aborted(f"the lease was lost while waiting to lead {name!r}", reason="LEASE_LOST")


async def _until_replaced(coordination: "Coordination", name: str, epoch: int) -> None:
    """Return once the key of this epoch is gone."""
    key = leader_key(name)
    async with coordination.mirror(key) as mirror:
        changes = aiter(mirror)
        while (held := mirror.snapshot.get(key)) is not None and held.create_revision == epoch:
            await anext(changes)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return once one of `waits` has ended; raise what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
