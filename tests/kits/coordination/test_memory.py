"""What the memory store adds to the contract: it is deterministic, and starts at a revision of choice."""

from __future__ import annotations

import asyncio

from flyteplane.coordination import MemoryCoordination, hold_lease
from flyteplane.coordination.keeper import HeldLease
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable


async def history() -> list[object]:
    clock = ManualClock()
    store = MemoryCoordination(clock=clock, initial_revision=7)
    lease = await store.grant(5)
    seen: list[object] = [lease, await store.put("a", b"", lease_id=lease), await store.put("b", b"")]
    clock.advance(6)
    seen += [await store.list(""), store.revision]
    return seen


async def test_the_same_calls_make_the_same_history() -> None:
    assert await history() == await history()


async def test_a_later_start_gives_later_epochs() -> None:
    clock = ManualClock()
    before = MemoryCoordination(clock=clock)
    epochs = []
    for store in (before, MemoryCoordination(clock=clock, initial_revision=5000)):
        lease = await hold_lease(store, ttl_s=10, clock=clock)
        epochs.append((await store.elect("x", lease=lease)).epoch)
        await lease.release()
    assert epochs == [1, 5001]


class Flaky(MemoryCoordination):
    """A store that may be out of reach."""

    away = False
    hanging = False

    async def keep_alive(self, lease_id: int) -> float:
        if self.hanging:
            await asyncio.Event().wait()
        if self.away:
            raise Unavailable("the store is away")
        return await super().keep_alive(lease_id)


async def lease_in(store: Flaky, clock: ManualClock) -> HeldLease:
    lease = await hold_lease(store, ttl_s=9, clock=clock)
    await pass_time(clock, 0)
    return lease


async def pass_time(clock: ManualClock, seconds: float) -> None:
    for _ in range(30):
        clock.advance(seconds / 30)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_short_absence_of_the_store_does_not_lose_the_lease() -> None:
    clock = ManualClock()
    store = Flaky(clock=clock)
    lease = await lease_in(store, clock)
    store.away = True
    await pass_time(clock, 5)
    store.away = False
    await pass_time(clock, 30)
    assert not lease.lost.is_set()
    await lease.release()


async def test_a_lease_that_could_not_be_renewed_for_its_ttl_is_given_up_in_time() -> None:
    clock = ManualClock()
    store = Flaky(clock=clock)
    lease = await lease_in(store, clock)
    store.away = True
    await pass_time(clock, 8.5)
    assert not lease.lost.is_set()
    await pass_time(clock, 1)
    assert lease.lost.is_set()
    await lease.release()


async def test_a_store_that_hangs_does_not_keep_a_lease_alive() -> None:
    clock = ManualClock()
    store = Flaky(clock=clock)
    lease = await lease_in(store, clock)
    store.hanging = True
    await pass_time(clock, 9.5)
    assert lease.lost.is_set()
    await lease.release()
