"""The service with a memory cluster, a clock in the test's hands, and its register in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.reuse_pool.bench import Bench, BenchClock, obedient

from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.ids import SeededIds
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.rpc.inprocess import InProcessServer


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    cluster, clock = MemoryCluster(obedient), BenchClock()
    service = await open_reuse_pool(
        database_url=f"sqlite:///{tmp_path}/reuse_pool.db", clusters=[cluster], clock=clock, ids=SeededIds()
    )
    server = InProcessServer()
    service.add_to(server)
    made = Bench(service, server, cluster, clock)
    yield made
    for scheduler in made.schedulers:
        await scheduler.close()
    await server.stop(None)
    await service.close()
    await cluster.close()
