"""The limit on requests, in virtual time."""

from __future__ import annotations

import asyncio

from flyteplane.cluster.kubernetes.rate_limiter import Priority, RateLimiter
from flyteplane.foundation.clock import ManualClock


async def _turns(limiter: RateLimiter, passed: list[str], *names: tuple[str, Priority]) -> list[asyncio.Task[None]]:
    async def one(name: str, priority: Priority) -> None:
        await limiter.acquire(priority)
        passed.append(name)

    tasks = [asyncio.ensure_future(one(name, priority)) for name, priority in names]
    await _settle()
    return tasks


async def _settle() -> None:
    for _turn in range(5):
        await asyncio.sleep(0)


async def test_a_burst_passes_at_once_and_the_rest_at_the_rate() -> None:
    clock, passed = ManualClock(), list[str]()
    limiter = RateLimiter(per_second=10, burst=3, clock=clock)
    await _turns(limiter, passed, *((f"r{number}", Priority.CREATE) for number in range(5)))
    assert passed == ["r0", "r1", "r2"]
    clock.advance(0.101)
    await _settle()
    assert passed == ["r0", "r1", "r2", "r3"]
    clock.advance(0.101)
    await _settle()
    assert len(passed) == 5


async def test_terminal_work_passes_before_creations_that_came_first() -> None:
    clock, passed = ManualClock(), list[str]()
    limiter = RateLimiter(per_second=1, burst=1, clock=clock)
    creations = [(f"create{number}", Priority.CREATE) for number in range(3)]
    await _turns(limiter, passed, *creations, ("delete", Priority.TERMINAL))
    clock.advance(1.01)
    await _settle()
    assert passed == ["create0", "delete"]


async def test_nothing_passes_before_the_server_wants_to_be_asked_again() -> None:
    clock, passed = ManualClock(), list[str]()
    limiter = RateLimiter(per_second=100, burst=10, clock=clock)
    limiter.pause(5.0)
    await _turns(limiter, passed, ("delete", Priority.TERMINAL))
    clock.advance(4.9)
    await _settle()
    assert passed == []
    clock.advance(0.2)
    await _settle()
    assert passed == ["delete"]


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    clock, passed = ManualClock(), list[str]()
    limiter = RateLimiter(per_second=1, burst=1, clock=clock)
    _, second, _ = await _turns(limiter, passed, *((name, Priority.CREATE) for name in ("a", "b", "c")))
    second.cancel()
    clock.advance(1.01)
    await _settle()
    assert passed == ["a", "c"]
