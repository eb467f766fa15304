"""A bell is heard at the beginning and after every ring, and forgets whoever leaves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from flyteplane.foundation.bell import Bell


async def test_rings_are_heard_once_each_time_somebody_looks() -> None:
    bell = Bell()
    async with aclosing(bell.rings(apart_s=0.0)) as rings:
        # What was before counts as one, and so do all rings until the next look.
        await anext(rings)
        bell.ring()
        bell.ring()
        await anext(rings)
        waiting = asyncio.ensure_future(anext(rings))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        bell.ring()
        await asyncio.wait_for(waiting, 10)
    assert not bell._listening


async def test_everybody_hears_a_ring_and_nobody_too_often() -> None:
    bell, apart_s = Bell(), 0.05
    loop = asyncio.get_running_loop()
    async with aclosing(bell.rings(apart_s=apart_s)) as slow, aclosing(bell.rings(apart_s=0.0)) as quick:
        await anext(slow)
        await anext(quick)
        begun = loop.time()
        bell.ring()
        await anext(quick)
        await anext(slow)
        assert loop.time() - begun >= apart_s - 0.001
