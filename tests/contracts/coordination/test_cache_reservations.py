"""The contract of the cache's reservations, over all coordination stores."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from tests.contracts.coordination.conftest import Harness
from tests.support.interleaving import interrupted

from flyteplane.cache.domain.entries import EntryKey
from flyteplane.cache.store.reservations import CoordinatedReservations
from flyteplane.coordination import Delete

KEY = EntryKey("p", "d", b"k" * 32)
SHARED = EntryKey("", "", b"k" * 32)


@pytest.fixture
def reservations(harness: Harness) -> CoordinatedReservations:
    eras = itertools.count(1)

    async def next_era() -> int:
        return next(eras)

    return CoordinatedReservations(harness.coordination, next_era=next_era)


async def test_one_owner_has_a_key_and_is_told_so_again(
    reservations: CoordinatedReservations, harness: Harness
) -> None:
    first = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    other = await reservations.reserve(KEY, owner="b", ttl_s=harness.ttl_s)
    again = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    shared = await reservations.reserve(SHARED, owner="b", ttl_s=harness.ttl_s)
    assert [one.acquired for one in (first, other, again, shared)] == [True, False, True, True]
    assert (other.owner, other.token, again.token) == ("a", first.token, first.token)


async def test_of_many_at_once_one_gets_it(reservations: CoordinatedReservations, harness: Harness) -> None:
    owners = [f"owner-{number}" for number in range(20)]
    answers = await asyncio.gather(*(reservations.reserve(KEY, owner=owner, ttl_s=harness.ttl_s) for owner in owners))
    assert sum(answer.acquired for answer in answers) == 1
    assert len({answer.token for answer in answers}) == 1


@pytest.mark.parametrize("before", [1, 2, 3])
async def test_one_that_ends_while_its_owner_asks_again_is_made_anew(
    reservations: CoordinatedReservations, harness: Harness, before: int
) -> None:
    first = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)

    async def end() -> None:
        (held,) = await harness.coordination.list("cache/reservations/")
        await harness.coordination.revoke(held.lease_id)

    async def no_era() -> int:
        raise AssertionError("there is one")

    coordination = interrupted(harness.coordination, end, before=before)
    again = await CoordinatedReservations(coordination, next_era=no_era).reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    assert again.acquired
    assert again.token > first.token
    assert again.expires_in_s > 0
    assert await reservations.extend(KEY, again.token)


async def test_it_lives_while_it_is_extended_and_ends_when_it_is_not(
    reservations: CoordinatedReservations, harness: Harness
) -> None:
    held = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    for _ in range(4):
        await harness.pass_time(harness.ttl_s / 2)
        assert await reservations.extend(KEY, held.token)
    await harness.pass_time(harness.ttl_s * 2)
    assert not await reservations.extend(KEY, held.token)
    later = await reservations.reserve(KEY, owner="b", ttl_s=harness.ttl_s)
    assert later.acquired
    assert later.token > held.token
    assert not await reservations.extend(KEY, held.token)


async def test_only_ones_own_is_released(reservations: CoordinatedReservations, harness: Harness) -> None:
    old = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    await reservations.release(KEY, old.token)
    await reservations.release(KEY, old.token)
    new = await reservations.reserve(KEY, owner="b", ttl_s=harness.ttl_s)
    await reservations.release(KEY, old.token)
    assert await reservations.extend(KEY, new.token)


async def test_tokens_grow_although_the_store_lost_everything(
    reservations: CoordinatedReservations, harness: Harness
) -> None:
    before = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    await harness.coordination.txn(when=[], then=[Delete("", prefix=True)])
    after = await reservations.reserve(KEY, owner="b", ttl_s=harness.ttl_s)
    assert after.acquired
    assert after.token >> 44 == (before.token >> 44) + 1


async def test_keys_that_come_free_are_told(reservations: CoordinatedReservations, harness: Harness) -> None:
    released = await reservations.reserve(KEY, owner="a", ttl_s=harness.ttl_s)
    async with reservations.departures() as departures:
        assert departures.holds(KEY)
        assert not departures.holds(SHARED)
        changes = aiter(departures)
        await reservations.release(KEY, released.token)
        assert list(await anext(changes)) == [KEY]
        await reservations.reserve(SHARED, owner="a", ttl_s=harness.ttl_s)
        lapsed = asyncio.ensure_future(anext(changes))
        await harness.pass_time(harness.ttl_s * 2)
        async with asyncio.timeout(10):
            assert list(await lapsed) == [SHARED]
