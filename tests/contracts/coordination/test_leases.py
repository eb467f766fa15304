"""Leases end when nobody renews them, and take their keys along."""

from __future__ import annotations

import pytest

from flyteplane.coordination import Put
from flyteplane.coordination.keeper import hold_lease
from flyteplane.foundation.errors import InvalidArgument, NotFound

from .conftest import Harness, settle


async def test_a_lease_that_is_not_renewed_ends_with_its_keys(harness: Harness) -> None:
    store = harness.coordination
    lease = await store.grant(harness.ttl_s)
    await store.put("mine", b"", lease_id=lease)
    await store.put("free", b"")
    await harness.pass_time(harness.ttl_s * 0.5)
    assert await store.get("mine") is not None
    await harness.pass_time(harness.ttl_s * 1.5)
    assert await store.get("mine") is None
    assert await store.get("free") is not None
    assert await store.time_to_live(lease) is None


async def test_a_renewed_lease_lives_on(harness: Harness) -> None:
    store = harness.coordination
    lease = await store.grant(harness.ttl_s)
    await store.put("mine", b"", lease_id=lease)
    for _ in range(3):
        await harness.pass_time(harness.ttl_s * 0.6)
        assert await store.keep_alive(lease) == pytest.approx(harness.ttl_s)
    assert await store.get("mine") is not None


async def test_a_lease_says_what_it_has_left(harness: Harness) -> None:
    lease = await harness.coordination.grant(harness.ttl_s)
    await harness.pass_time(harness.ttl_s * 0.5)
    left = await harness.coordination.time_to_live(lease)
    assert left is not None
    assert 0 <= left <= harness.ttl_s * 0.5


async def test_a_revoked_lease_takes_its_keys_at_once(harness: Harness) -> None:
    store = harness.coordination
    lease = await store.grant(harness.ttl_s)
    for key in ("a", "b"):
        await store.put(key, b"", lease_id=lease)
    await store.revoke(lease)
    assert await store.list("") == []
    await store.revoke(lease)


async def test_what_has_ended_cannot_be_renewed_or_used(harness: Harness) -> None:
    store = harness.coordination
    lease = await store.grant(harness.ttl_s)
    await store.revoke(lease)
    with pytest.raises(NotFound) as raised:
        await store.keep_alive(lease)
    assert raised.value.reason == "LEASE_NOT_FOUND"
    with pytest.raises(NotFound):
        await store.put("a", b"", lease_id=lease)
    with pytest.raises(NotFound):
        await store.txn(when=[], then=[Put("b", b""), Put("a", b"", lease)])
    assert await store.list("") == []


async def test_a_key_written_again_without_its_lease_outlives_it(harness: Harness) -> None:
    store = harness.coordination
    lease = await store.grant(harness.ttl_s)
    await store.put("a", b"", lease_id=lease)
    await store.put("a", b"")
    await store.revoke(lease)
    assert await store.get("a") is not None


async def test_a_lease_may_be_asked_for_in_fractions_of_a_second(harness: Harness) -> None:
    lease = await harness.coordination.grant(harness.ttl_s - 0.5)
    assert await harness.coordination.keep_alive(lease) >= harness.ttl_s - 0.5


async def test_a_ttl_must_be_positive(harness: Harness) -> None:
    with pytest.raises(InvalidArgument):
        await harness.coordination.grant(0)


async def test_a_held_lease_is_renewed_until_it_is_released(harness: Harness) -> None:
    store = harness.coordination
    held = await hold_lease(store, ttl_s=harness.ttl_s, clock=harness.clock)
    await settle()
    await store.put("mine", b"", lease_id=held.lease_id)
    await harness.pass_time(harness.ttl_s * 2.5)
    assert not held.lost.is_set()
    assert await store.get("mine") is not None
    await held.release()
    await held.release()
    assert held.lost.is_set()
    assert await store.get("mine") is None


async def test_a_held_lease_that_others_end_is_lost(harness: Harness) -> None:
    held = await hold_lease(harness.coordination, ttl_s=harness.ttl_s, clock=harness.clock)
    await settle()
    await harness.coordination.revoke(held.lease_id)
    await harness.pass_time(harness.ttl_s)
    assert held.lost.is_set()
    await held.release()
