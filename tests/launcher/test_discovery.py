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
