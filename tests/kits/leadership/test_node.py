"""A node of a service that elects a leader: standing by, leading, losing the lead, giving it away. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from flyteplane.coordination import Compare, Coordination, KeyValue, MemoryCoordination, Mirror, TxnResult
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Aborted, FailedPrecondition, PlatformError, Unavailable
from flyteplane.leadership import shards
from flyteplane.leadership.node import LeaderNode, Term
from flyteplane.rpc.gate import Gate

TTL_S = 9.0


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(60):
        await asyncio.sleep(0)


class Line(Coordination):
    """A process's line to the store, which can be cut. What is on its way in a mirror still arrives."""

    def __init__(self, store: MemoryCoordination) -> None:
        self._store = store
        self.cut = False

    def _check(self) -> MemoryCoordination:
        if self.cut:
            raise Unavailable("the store cannot be reached")
        return self._store

    async def get(self, key: str) -> KeyValue | None:
        return await self._check().get(key)

    async def list(self, prefix: str) -> Sequence[KeyValue]:
        return await self._check().list(prefix)

    async def put(self, key: str, value: bytes, *, lease_id: int = 0) -> int:
        return await self._check().put(key, value, lease_id=lease_id)

    async def delete(self, key: str) -> bool:
        return await self._check().delete(key)

    async def txn(self, *, when: Sequence[Compare], then: Any = (), otherwise: Any = ()) -> TxnResult:
        return await self._check().txn(when=when, then=then, otherwise=otherwise)

    async def grant(self, ttl_s: float) -> int:
        return await self._check().grant(ttl_s)

    async def keep_alive(self, lease_id: int) -> float:
        return await self._check().keep_alive(lease_id)

    async def time_to_live(self, lease_id: int) -> float | None:
        return await self._check().time_to_live(lease_id)

    async def revoke(self, lease_id: int) -> None:
        await self._check().revoke(lease_id)

    def mirror(self, prefix: str) -> Mirror:
        return self._store.mirror(prefix)

    async def close(self) -> None:
        pass


class Process:
    """A node with what it was seen to do."""

    def __init__(self, name: str, store: MemoryCoordination, clock: ManualClock, notes: list[str]) -> None:
        self.name = name
        self.line = Line(store)
        self.notes = notes
        self.terms: list[Term] = []
        self.failures: list[BaseException] = []
        self.broken: PlatformError | None = None
        self.closing = asyncio.Event()
        self.closing.set()
        self.gates = Gate(["services"]), Gate(["workers"])
        self.serves = False
        self.node = LeaderNode(
            self.line,
            name=shards.SCHEDULER,
            clock=clock,
            address=f"unix:/{name}",
            open_service=self._open,
            services=self.gates[0],
            workers=self.gates[1],
            on_change=self._changed,
            on_failure=self.failures.append,
            lease_ttl_s=TTL_S,
        )

    async def _open(self, term: Term) -> Process:
        if self.broken is not None:
            raise self.broken
        self.terms.append(term)
        self.notes.append(f"open {self.name}")
        return self

    async def _changed(self, serves: bool) -> None:
        self.serves = serves

    def add_to(self, server: Any) -> None:
        """Nothing to serve."""

    def add_workers_to(self, server: Any) -> None:
        """Nothing to serve."""

    async def close(self) -> None:
        await self.closing.wait()
        self.notes.append(f"close {self.name}")


class World:
    """Processes, a store and the time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryCoordination(clock=self.clock)
        self.notes: list[str] = []
        self.processes: list[Process] = []

    async def start(self, name: str) -> Process:
        process = Process(name, self.store, self.clock, self.notes)
        self.processes.append(process)
        process.node.start()
        await settle()
        return process

    async def pass_time(self, seconds: float) -> None:
        """In small steps, as time passes."""
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            await settle()

    async def told_address(self) -> str:
        """Where others are told that the leader is."""
        held = await self.store.get(leader_key(shards.SCHEDULER))
        return held.value.decode() if held is not None else ""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for process in made.processes:
        process.line.cut = False
        process.closing.set()
        await asyncio.wait_for(process.node.stop(), 30)


async def test_one_leads_and_the_others_open_nothing(world: World) -> None:
    first, second = await world.start("a"), await world.start("b")
    await world.pass_time(3 * TTL_S)
    assert world.notes == ["open a"]
    assert (first.serves, second.serves) == (True, False)
    assert first.terms[0].leads()
    assert await world.told_address() == "unix:/a"


async def test_a_leader_that_stops_closes_first_and_then_hands_over_without_delay(world: World) -> None:
    first, second = await world.start("a"), await world.start("b")
    first.closing.clear()
    stopping = asyncio.create_task(first.node.stop())
    await settle()
    assert not first.serves
    assert await world.told_address() == ""
    assert world.notes == ["open a"]
    first.closing.set()
    await stopping
    await settle()
    assert world.notes == ["open a", "close a", "open b"]
    assert second.terms[0].epoch > first.terms[0].epoch
    assert await world.told_address() == "unix:/b"


async def test_a_leader_that_is_cut_off_knows_it_no_later_than_anybody_else(world: World) -> None:
    first, second = await world.start("a"), await world.start("b")
    first.line.cut = True
    while first.terms[0].leads():
        assert not second.serves
        await world.pass_time(0.5)
    await world.pass_time(TTL_S)
    assert second.serves
    assert not first.serves
    assert await world.told_address() == "unix:/b"


async def test_a_leader_that_slept_beyond_its_lease_does_not_believe_that_it_leads(world: World) -> None:
    first = await world.start("a")
    # Time passes, and no task of this process has a turn meanwhile.
    world.clock.advance(TTL_S)
    assert not first.terms[0].leads()


async def test_a_leader_that_was_cut_off_stands_by_and_may_lead_again(world: World) -> None:
    first = await world.start("a")
    first.line.cut = True
    await world.pass_time(2 * TTL_S)
    assert world.notes == ["open a", "close a"]
    first.line.cut = False
    await world.pass_time(2.0)
    assert first.serves
    assert first.terms[1].epoch > first.terms[0].epoch


async def test_a_standby_without_a_store_waits_for_it(world: World) -> None:
    process = Process("a", world.store, world.clock, world.notes)
    world.processes.append(process)
    process.line.cut = True
    process.node.start()
    await world.pass_time(5.0)
    assert world.notes == []
    process.line.cut = False
    await world.pass_time(2.0)
    assert process.serves


async def test_a_leader_that_cannot_open_leaves_the_lead_to_another(world: World) -> None:
    first = await world.start("a")
    first.broken = Unavailable("its disk is full")
    second = await world.start("b")
    first.line.cut = True
    await world.pass_time(2 * TTL_S)
    first.line.cut = False
    assert second.serves
    second.broken = first.broken
    second.line.cut = True
    await world.pass_time(2 * TTL_S)
    assert not first.serves
    first.broken = None
    await world.pass_time(2.0)
    assert first.serves
    assert not first.failures


async def test_what_a_person_has_to_mend_ends_the_process_and_another_leads(world: World) -> None:
    first = Process("a", world.store, world.clock, world.notes)
    world.processes.append(first)
    first.broken = FailedPrecondition("a key is missing")
    first.node.start()
    await settle()
    assert first.failures == [first.broken]
    assert (await world.start("b")).serves


async def test_a_store_that_is_another_leaders_by_now_sends_it_back_to_standing_by(world: World) -> None:
    first = await world.start("a")
    first.terms[0].fail(Aborted("epoch 1 was replaced by 2", reason="FENCED"))
    await world.pass_time(1.0)
    assert not first.failures
    assert world.notes == ["open a", "close a", "open a"]


async def test_a_store_that_failed_ends_the_process_and_hands_over(world: World) -> None:
    first, second = await world.start("a"), await world.start("b")
    first.terms[0].fail(Unavailable("the disk is gone"))
    await world.pass_time(1.0)
    assert [type(error) for error in first.failures] == [Unavailable]
    assert second.serves
    assert world.notes == ["open a", "close a", "open b"]


async def test_stopping_a_standby_takes_no_lead_and_leaves_no_lease(world: World) -> None:
    first, second = await world.start("a"), await world.start("b")
    await second.node.stop()
    assert first.serves
    await first.node.stop()
    assert await world.store.get(leader_key(shards.SCHEDULER)) is None
    await world.pass_time(TTL_S)
    assert world.notes == ["open a", "close a"]
