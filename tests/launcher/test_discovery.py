"""How processes find each other through the coordination store. In virtual time, with the store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from flyteplane.coordination import MemoryCoordination, Put
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.launcher import discovery
from flyteplane.rpc.whereabouts import Whereabouts

LEADER = "scheduler/0"


class World:
    """A store, the time, and what runs in the background."""

    def __init__(self, background: BackgroundTasks) -> None:
        self.clock = ManualClock()
        self.store = MemoryCoordination(clock=self.clock)
        self.there = Whereabouts("scheduler")
        self._background = background

    async def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._background.start(work, name="test")
        await self.settle()
        return task

    async def settle(self) -> None:
        for _ in range(40):
            await asyncio.sleep(0)

    def follow_leader(self) -> Coroutine[Any, Any, None]:
        return discovery.follow_leader(self.store, LEADER, whereabouts=self.there, clock=self.clock)

    def follow_cache(self) -> Coroutine[Any, Any, None]:
        return discovery.follow_service(self.store, "cache", whereabouts=self.there, clock=self.clock)

    def register(self, process: str, address: str) -> Coroutine[Any, Any, None]:
        return discovery.register(self.store, ["cache", "secrets"], process=process, address=address, clock=self.clock)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with BackgroundTasks("test") as background:
        yield World(background)


async def test_the_leaders_address_is_known_only_while_it_serves(world: World) -> None:
    key = leader_key(LEADER)
    await world.start(world.follow_leader())
    seen = [world.there.address]
    for value in (b"", b"host:1", b"", b"host:2"):
        await world.store.txn(when=[], then=[Put(key, value)])
        await world.settle()
        seen.append(world.there.address)
    await world.store.delete(key)
    await world.settle()
    assert [*seen, world.there.address] == ["", "", "host:1", "", "host:2", ""]


async def test_a_leader_of_another_name_is_none_of_ours(world: World) -> None:
    await world.start(world.follow_leader())
    await world.store.put(f"{leader_key(LEADER)}0", b"host:1")
    await world.settle()
    assert world.there.address == ""


async def test_a_registered_service_is_found_and_remembered_when_its_key_is_gone(world: World) -> None:
    await world.start(world.follow_cache())
    registering = await world.start(world.register("edge", "host:1"))
    assert world.there.address == "host:1"
    registering.cancel()
    await world.settle()
    assert await world.store.list("endpoints/") == []
    assert world.there.address == "host:1"
    await world.start(world.register("edge2", "host:2"))
    assert world.there.address == "host:2"


async def test_a_process_whose_lease_was_lost_registers_again(world: World) -> None:
    await world.start(world.register("edge", "host:1"))
    (held, _) = await world.store.list("endpoints/")
    await world.store.revoke(held.lease_id)
    for _ in range(20):
        world.clock.advance(1.0)
        await world.settle()
    keys = [registered.key for registered in await world.store.list("endpoints/")]
    assert keys == ["endpoints/cache/edge", "endpoints/secrets/edge"]
