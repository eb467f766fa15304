"""The register stays short however long one process leads."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from flyteplane.foundation.clock import ManualClock
from flyteplane.reuse_pool.application.ports import PoolRecord
from flyteplane.reuse_pool.application.upkeep import KEEP_S, ROUND_S, keep_short
from flyteplane.reuse_pool.store.memory_store import MemoryPoolStore

POOL = PoolRecord(name="a", project="p", domain="d", environment="env", run="", created_at=1.0, declaration=b"")


async def test_pools_that_ended_long_ago_are_forgotten_while_the_service_runs() -> None:
    clock, store = ManualClock(), MemoryPoolStore()
    await store.claim(at_least=1)
    for pool, ended_at in ((POOL, clock.now() - KEEP_S), (replace(POOL, name="b"), clock.now())):
        await store.note_pool(pool)
        await store.note_pool_end(pool.name, at=ended_at, reason="drained")
    keeping = asyncio.create_task(keep_short(store, clock=clock))
    for _ in range(3):
        await asyncio.sleep(0)
    clock.advance(ROUND_S)
    for _ in range(3):
        await asyncio.sleep(0)
    assert [pool.name for pool in await store.pools()] == ["b"]
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
