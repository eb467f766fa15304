"""The adapters of the coordination port. Another adapter joins by adding a harness to `HARNESSES`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from flyteplane.coordination import Coordination, MemoryCoordination
from flyteplane.foundation.clock import ManualClock, TimerClock


@dataclass(frozen=True)
class Harness:
    """An adapter under test, and the hand on its clock.

    Attributes:
        ttl_s: a ttl that the adapter can keep exactly enough to be tested.
        clock: the clock of the client's side.
    """

    coordination: Coordination
    clock: TimerClock
    ttl_s: float
    advance: Callable[[float], None]

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass, in steps in which everyone who was woken gets to run."""
        steps = 20
        for _ in range(steps):
            self.advance(seconds / steps)
            await settle()


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def memory() -> AsyncIterator[Harness]:
    clock = ManualClock()
    coordination = MemoryCoordination(clock=clock, initial_revision=1000)
    yield Harness(coordination, clock, ttl_s=10.0, advance=clock.advance)
    await coordination.close()


HARNESSES: dict[str, Callable[[], AbstractAsyncContextManager[Harness]]] = {"memory": memory}


@pytest.fixture(params=HARNESSES)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    async with HARNESSES[request.param]() as harness:
        yield harness


@pytest.fixture
def coordination(harness: Harness) -> Coordination:
    return harness.coordination
