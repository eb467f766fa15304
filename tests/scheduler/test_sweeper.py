"""The sweeper: it stops what nobody answers for, and only as the leader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from tests.scheduler.harness import settle

from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import WorkerSink, WorkerSpec
from flyteplane.foundation.clock import ManualClock
from flyteplane.scheduler.clients.fresh_workers import FreshWorkers
from flyteplane.scheduler.clients.sweeper import sweep_for_ever


class _Placement:
    """Answers for nobody."""

    def known_names(self, cluster: str) -> set[str]:
        """See `FreshWorkers`."""
        return set()


class _Slow(MemoryCluster):
    """Answers when the test says."""

    def __init__(self) -> None:
        super().__init__(name="prod", outlives_owner=True)
        self.answers = asyncio.Event()

    async def others(self, known: object) -> Sequence[str]:
        """See the port."""
        found = list(self.workers)
        await self.answers.wait()
        return found


@pytest.mark.parametrize("leads", [True, False])
async def test_a_leader_that_was_replaced_while_it_asked_stops_nobody(leads: bool) -> None:
    cluster = _Slow()
    sink = cast("WorkerSink", _Sink())
    await cluster.start(WorkerSpec(name="r1-a0-1-1"), sink)
    placement = cast("FreshWorkers", _Placement())
    still = {"leads": True}
    sweeping = sweep_for_ever(placement, [cluster], clock=ManualClock(), leads=lambda: still["leads"])
    task = asyncio.ensure_future(sweeping)
    await settle()
    still["leads"] = leads
    cluster.answers.set()
    await settle()
    task.cancel()
    assert bool(cluster.workers) is not leads


class _Sink:
    """Listens to nothing."""

    def exited(self, exit: object) -> None:
        """See the port."""
