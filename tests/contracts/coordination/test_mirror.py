"""A mirror is complete from the start, misses nothing, and costs a slow reader no memory."""

from __future__ import annotations

import asyncio

import pytest

from flyteplane.coordination import Change, Coordination, Delete, Put

from .conftest import Harness, eventually, settle


async def test_a_mirror_begins_with_what_is_there(coordination: Coordination) -> None:
    revision = await coordination.put("p/a", b"1")
    await coordination.put("q", b"2")
    async with coordination.mirror("p/") as mirror:
        assert {key: kept.value for key, kept in mirror.snapshot.items()} == {"p/a": b"1"}
        assert mirror.revision >= revision


async def test_changes_come_in_order_and_the_snapshot_follows(coordination: Coordination) -> None:
    async with coordination.mirror("p/") as mirror:
        changes = aiter(mirror)
        await coordination.put("p/a", b"1")
        await coordination.put("elsewhere", b"")
        assert [(c.key, c.previous, c.current and c.current.value) for c in await anext(changes)] == [
            ("p/a", None, b"1")
        ]
        await coordination.put("p/a", b"2")
        (change,) = await anext(changes)
        assert change.previous is not None
        assert change.current is not None
        assert (change.previous.value, change.current.value) == (b"1", b"2")
        await coordination.delete("p/a")
        (change,) = await anext(changes)
        assert change.current is None
        assert mirror.snapshot == {}


async def test_what_one_transaction_changes_comes_together(coordination: Coordination) -> None:
    await coordination.put("p/old", b"")
    async with coordination.mirror("p/") as mirror:
        await coordination.txn(when=[], then=[Put("p/a", b""), Put("p/b", b""), Delete("p/old")])
        assert {change.key for change in await anext(aiter(mirror))} == {"p/a", "p/b", "p/old"}


async def test_a_slow_reader_gets_each_key_once_with_its_last_state(coordination: Coordination) -> None:
    async with coordination.mirror("p/") as mirror:
        for number in range(100):
            await coordination.put("p/a", str(number).encode())
            await coordination.put("p/passing", b"")
            await coordination.delete("p/passing")
        last = (await coordination.txn(when=[])).revision
        await eventually(lambda: mirror.revision == last)
        taken = await anext(aiter(mirror))
        assert [(c.key, c.previous, c.current and c.current.value) for c in taken] == [("p/a", None, b"99")]


async def test_a_key_made_again_unseen_shows_its_new_creation(coordination: Coordination) -> None:
    await coordination.put("p/a", b"1")
    async with coordination.mirror("p/") as mirror:
        await coordination.delete("p/a")
        last = await coordination.put("p/a", b"2")
        await eventually(lambda: mirror.revision == last)
        (change,) = await anext(aiter(mirror))
        assert change.previous is not None
        assert change.current is not None
        assert change.current.create_revision > change.previous.create_revision


async def test_a_waiting_reader_is_woken(coordination: Coordination) -> None:
    async with coordination.mirror("") as mirror:
        reading = asyncio.ensure_future(anext(aiter(mirror)))
        await settle()
        assert not reading.done()
        await coordination.put("a", b"")
        assert [change.key for change in await asyncio.wait_for(reading, 30)] == ["a"]


async def test_the_end_of_a_lease_is_a_change(harness: Harness) -> None:
    store = harness.coordination
    lease = await store.grant(harness.ttl_s)
    await store.put("member", b"", lease_id=lease)
    async with store.mirror("member") as mirror:
        await harness.pass_time(harness.ttl_s * 1.2)
        (change,) = await asyncio.wait_for(anext(aiter(mirror)), 30)
        assert change.current is None


async def test_leaving_a_mirror_ends_its_reader(coordination: Coordination) -> None:
    async def read() -> list[Change]:
        return [change async for batch in mirror for change in batch]

    async with coordination.mirror("") as mirror:
        reading = asyncio.create_task(read())
        await settle()
        await coordination.put("a", b"")
        await eventually(lambda: "a" in mirror.snapshot)
    await coordination.put("b", b"")
    assert [change.key for change in await asyncio.wait_for(reading, 30)] == ["a"]


async def test_the_snapshot_cannot_be_changed_by_its_reader(coordination: Coordination) -> None:
    async with coordination.mirror("") as mirror:
        with pytest.raises(TypeError):
            mirror.snapshot["a"] = None  # type: ignore[index]
