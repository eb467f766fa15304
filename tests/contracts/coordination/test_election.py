"""At most one leads by the store's reckoning, epochs only grow, and whoever loses the lead is told."""

from __future__ import annotations

import asyncio

import pytest

from flyteplane.coordination import HeldLease, Leadership, Put, created_at, hold_lease
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.errors import Aborted

from .conftest import Harness, settle


async def hold(harness: Harness) -> HeldLease:
    return await hold_lease(harness.coordination, ttl_s=harness.ttl_s, clock=harness.clock)


async def lead(harness: Harness, lease: HeldLease, value: bytes = b"") -> Leadership:
    return await asyncio.wait_for(harness.coordination.elect("shard-0", lease=lease, value=value), 30)


async def test_the_epoch_is_the_creation_revision_of_the_leaders_key(harness: Harness) -> None:
    lease = await hold(harness)
    leadership = await lead(harness, lease, b"unix:/a")
    kept = await harness.coordination.get(leader_key("shard-0"))
    assert kept is not None
    assert (kept.create_revision, kept.value, kept.lease_id) == (leadership.epoch, b"unix:/a", lease.lease_id)
    assert (await harness.coordination.txn(when=[created_at(leader_key("shard-0"), leadership.epoch)])).succeeded
    await lease.release()


async def test_a_second_candidate_waits_and_leads_with_a_greater_epoch(harness: Harness) -> None:
    first_lease, second_lease = await hold(harness), await hold(harness)
    first = await lead(harness, first_lease)
    waiting = asyncio.create_task(lead(harness, second_lease))
    await settle()
    assert not waiting.done()
    await first.resign()
    second = await waiting
    assert first.lost.is_set()
    assert not second.lost.is_set()
    assert second.epoch > first.epoch
    await first_lease.release()
    await second_lease.release()


async def test_losing_the_lease_is_losing_the_lead(harness: Harness) -> None:
    lease, other = await hold(harness), await hold(harness)
    leadership = await lead(harness, lease)
    waiting = asyncio.create_task(lead(harness, other))
    await settle()
    await harness.coordination.revoke(lease.lease_id)
    await asyncio.wait_for(leadership.lost.wait(), 30)
    assert (await waiting).epoch > leadership.epoch
    await other.release()
    await lease.release()


async def test_a_leader_whose_key_is_taken_away_is_told(harness: Harness) -> None:
    lease = await hold(harness)
    leadership = await lead(harness, lease)
    await settle()
    await harness.coordination.delete(leader_key("shard-0"))
    await asyncio.wait_for(leadership.lost.wait(), 30)
    await lease.release()


async def test_resigning_does_not_take_the_key_of_the_next_leader(harness: Harness) -> None:
    lease, other = await hold(harness), await hold(harness)
    old = await lead(harness, lease)
    await harness.coordination.delete(leader_key("shard-0"))
    new = await lead(harness, other)
    await old.resign()
    await settle()
    assert not new.lost.is_set()
    await lease.release()
    await other.release()


async def test_asking_again_with_the_same_lease_finds_the_lead_that_was_won(harness: Harness) -> None:
    lease = await hold(harness)
    first = await lead(harness, lease)
    again = await lead(harness, lease)
    assert again.epoch == first.epoch
    await lease.release()


async def test_a_candidate_whose_lease_ends_stops_waiting(harness: Harness) -> None:
    lease, other = await hold(harness), await hold(harness)
    await lead(harness, lease)
    waiting = asyncio.create_task(lead(harness, other))
    await settle()
    await other.release()
    with pytest.raises(Aborted) as raised:
        await waiting
    assert raised.value.reason == "LEASE_LOST"
    await lease.release()


async def test_the_lead_of_a_holder_that_fell_silent_is_taken_over_once_its_lease_has_ended(harness: Harness) -> None:
    silent, other = await harness.coordination.grant(harness.ttl_s), await hold(harness)
    epoch = (await harness.coordination.txn(when=[], then=[Put(leader_key("shard-0"), b"", silent)])).revision
    waiting = asyncio.create_task(harness.coordination.elect("shard-0", lease=other))
    await harness.pass_time(harness.ttl_s * 0.5)
    assert not waiting.done()
    await harness.pass_time(harness.ttl_s)
    second = await asyncio.wait_for(waiting, 30)
    assert second.epoch > epoch
    fenced = [created_at(leader_key("shard-0"), epoch)]
    assert not (await harness.coordination.txn(when=fenced, then=[Put("written late", b"")])).succeeded
    await other.release()


async def test_names_are_led_independently(harness: Harness) -> None:
    lease = await hold(harness)
    first = await harness.coordination.elect("shard-0", lease=lease)
    second = await asyncio.wait_for(harness.coordination.elect("shard-00", lease=lease), 30)
    await second.resign()
    await settle()
    assert not first.lost.is_set()
    await lease.release()
