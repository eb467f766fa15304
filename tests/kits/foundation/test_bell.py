"""A bell is heard at the beginning and after every ring, and forgets whoever leaves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from flyteplane.foundation.bell import Bell
from flyteplane.foundation.clock import ManualClock


async def test_rings_are_heard_once_each_time_somebody_looks() -> None:
    bell = Bell(ManualClock())
    async with aclosing(bell.rings(apart_s=0.0)) as rings:
        # What was before counts as one, and so do all rings until the next look.
        await anext(rings)
        bell.ring()
        bell.ring()
        await anext(rings)
        waiting = asyncio.ensure_future(anext(rings))
        await _at_rest()
        assert not waiting.done()
        bell.ring()
        await asyncio.wait_for(waiting, 10)
    assert not bell._listening


async def test_everybody_hears_a_ring_and_nobody_too_often() -> None:
    clock = ManualClock()
    bell = Bell(clock)
    async with aclosing(bell.rings(apart_s=5.0)) as slow, aclosing(bell.rings(apart_s=0.0)) as quick:
        await anext(slow)
        await anext(quick)
        bell.ring()
        await anext(quick)
        waiting = asyncio.ensure_future(anext(slow))
        clock.advance(4.0)
        await _at_rest()
        assert not waiting.done()
        clock.advance(1.0)
        await asyncio.wait_for(waiting, 10)


async def test_a_ring_after_a_long_silence_is_heard_at_once() -> None:
    clock = ManualClock()
    bell = Bell(clock)
    async with aclosing(bell.rings(apart_s=5.0)) as rings:
        await anext(rings)
        clock.advance(5.0)
        bell.ring()
        await asyncio.wait_for(anext(rings), 10)


async def _at_rest() -> None:
    """Everything that can go on without the clock has done so."""
    for _ in range(10):
        await asyncio.sleep(0)
