"""An alarm wakes at its time, or when somebody asks, and forgets nothing that was asked meanwhile."""

from __future__ import annotations

import asyncio

from flyteplane.foundation.alarm import Alarm
from flyteplane.foundation.clock import ManualClock


async def _waiting(alarm: Alarm) -> asyncio.Task[None]:
    waiting = asyncio.create_task(alarm.wait(at_most_s=10.0))
    for _ in range(3):
        await asyncio.sleep(0)
    return waiting


async def test_a_wait_ends_at_its_time_or_when_somebody_asks() -> None:
    clock = ManualClock()
    alarm = Alarm(clock)
    waiting = await _waiting(alarm)
    clock.advance(9.9)
    assert not waiting.done()
    clock.advance(0.1)
    await asyncio.wait_for(waiting, 10)
    waiting = await _waiting(alarm)
    alarm.ring()
    await asyncio.wait_for(waiting, 10)
    assert clock.next_timer_at() is None


async def test_what_was_asked_before_the_wait_ends_it_at_once_and_only_it() -> None:
    clock = ManualClock()
    alarm = Alarm(clock)
    alarm.ring()
    alarm.ring()
    await asyncio.wait_for(alarm.wait(at_most_s=10.0), 10)
    waiting = await _waiting(alarm)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert clock.next_timer_at() is None
