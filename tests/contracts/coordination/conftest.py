"""The adapters of the coordination port. Another adapter joins by adding a harness to `HARNESSES`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.support.etcd import EtcdServer, require_etcd

from flyteplane.coordination import Coordination, Delete, EtcdCoordination, MemoryCoordination
from flyteplane.foundation.clock import ManualClock, SystemClock, TimerClock


@dataclass(frozen=True)
class Harness:
    """An adapter under test, and the hand on its clock.

    Attributes:
        ttl_s: a ttl that the adapter can keep exactly enough to be tested.
        clock: the clock of the client's side.
        pass_time: lets so many seconds pass, in which everyone who is woken gets to run.
    """

    coordination: Coordination
    clock: TimerClock
    ttl_s: float
    pass_time: Callable[[float], Awaitable[None]]


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def eventually(holds: Callable[[], bool]) -> None:
    """Let everything run until this holds.

    For what another process does and a mirror learns, when the mirror's one reader must not be woken by it.
    """
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@asynccontextmanager
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    clock = ManualClock()
    coordination = MemoryCoordination(clock=clock, initial_revision=1000)

    async def pass_time(seconds: float) -> None:
        steps = 20
        for _ in range(steps):
            clock.advance(seconds / steps)
            await settle()

    yield Harness(coordination, clock, ttl_s=10.0, pass_time=pass_time)
    await coordination.close()


@asynccontextmanager
async def etcd(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    server: EtcdServer = request.getfixturevalue("etcd_server")
    clock = SystemClock()
    settings = server.settings(prefix=f"/test-{next(_PREFIXES)}/", timeout_s=10.0)
    coordination = await EtcdCoordination.open(settings, clock=clock)
    yield Harness(coordination, clock, ttl_s=2.0, pass_time=clock.sleep)
    # Leases that end later must not move the revision under another test.
    await coordination.txn(when=[], then=[Delete("", prefix=True)])
    await coordination.close()


_PREFIXES = itertools.count()

HARNESSES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Harness]]] = {
    "memory": memory,
    "etcd": etcd,
}


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    require_etcd()
    with EtcdServer(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture(params=HARNESSES)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    async with HARNESSES[request.param](request) as harness:
        yield harness


@pytest.fixture
def coordination(harness: Harness) -> Coordination:
    return harness.coordination
