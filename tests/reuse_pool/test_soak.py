"""The whole service under random load, deaths and revocations: every lease comes to exactly one end."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from tests.reuse_pool.bench import Bench, Scheduler, declaration, ended, next_turn, submit

from flyteapi.common.v1.phase_pb2 import PHASE_SUCCEEDED
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, Heartbeat, WorkerReport
from flyteplane.cluster.memory import MemoryWorker

POOLS = ("a" * 64, "b" * 64)
STEPS = 400


class Soak:
    """Random events, and what the scheduler makes of the reports."""

    def __init__(self, bench: Bench, scheduler: Scheduler, seed: int) -> None:
        self.bench = bench
        self.scheduler = scheduler
        self.random = random.Random(seed)
        self.seen = 0
        self.leases = 0
        self.outcomes: dict[int, list[str]] = {}
        self.revoked: set[int] = set()
        self.said_ended: set[int] = set()
        self.calls: dict[int, tuple[int, int]] = {}
        self.names = Counter[str]()

    def workers(self) -> list[MemoryWorker]:
        return list(self.bench.cluster.workers.values())

    def running(self) -> list[tuple[MemoryWorker, int]]:
        """Leases that a replica has and that are not over."""
        found = []
        for worker in self.workers():
            orders: dict[str, set[int]] = {}
            for order in worker.received:
                orders.setdefault(order.WhichOneof("order") or "", set()).add(order.lease)
            open_leases = orders.get("assign", set()) - orders.get("cancel", set())
            found += [(worker, lease) for lease in open_leases if lease not in self.said_ended]
        return found

    async def place(self, *, parent: tuple[int, int] | None = None, name: str = "") -> None:
        self.leases += 1
        self.outcomes[self.leases] = []
        if parent is not None:
            self.calls[self.leases] = parent
        pool = self.random.choice(POOLS)
        await self.scheduler.place(
            self.leases, name or f"held{self.leases}", pool=pool, is_async=self.random.random() < 0.7
        )

    async def step(self) -> None:
        dice = self.random.random()
        running = self.running()
        if dice < 0.35:
            await self.place()
        elif dice < 0.75 and running:
            worker, lease = self.random.choice(running)
            if dice < 0.5:
                self.names["call"] += 1
                name = f"held-child{self.names['call']}"
                worker.say(submit(lease, self.names["call"], name))
                await self.place(parent=(lease, self.names["call"]), name=name)
            else:
                self.end(worker, lease)
        elif dice < 0.8 and self.workers():
            self.random.choice(self.workers()).exit(signal=9)
        elif dice < 0.88 and self.outcomes:
            lease = self.random.choice(list(self.outcomes))
            if not self.outcomes[lease]:
                self.revoked.add(lease)
                await self.scheduler.revoke(lease, grace_s=1)
        else:
            await self.pass_time(self.random.choice([0.1, 1.0, 3.0]))
        for _ in range(self.random.randrange(6)):
            await next_turn()
        await self.read()

    def end(self, worker: MemoryWorker, lease: int) -> None:
        self.said_ended.add(lease)
        worker.say(ended(lease))

    async def pass_time(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)
        for worker in self.workers():
            worker.say(WorkerReport(heartbeat=Heartbeat()))

    async def read(self) -> None:
        """Takes in new reports; accepts ends and answers parents."""
        while self.seen < len(self.scheduler.reports):
            report = self.scheduler.reports[self.seen]
            self.seen += 1
            kind = report.WhichOneof("report")
            if kind == "forward" and report.forward.HasField("ended"):
                await self.over(report.forward.lease, "ended")
                await self.scheduler.accept(report.forward.lease)
            elif kind in ("lost", "refused"):
                await self.over(getattr(report, kind).lease, kind)

    async def over(self, lease: int, how: str) -> None:
        self.outcomes[lease].append(how)
        if lease in self.calls:
            parent, call = self.calls[lease]
            await self.scheduler.forward(parent, result=ActionResult(call=call, phase=PHASE_SUCCEEDED))

    async def finish(self) -> None:
        """Ends everything that runs until nothing is left."""
        for _ in range(1000):
            for worker, lease in self.running():
                self.end(worker, lease)
            await self.pass_time(1.0)
            for _ in range(20):
                await next_turn()
            await self.read()
            if all(outcome or lease in self.revoked for lease, outcome in self.outcomes.items()):
                return
        raise AssertionError(f"never over: {[lease for lease, outcome in self.outcomes.items() if not outcome]}")


@pytest.mark.parametrize("seed", range(6))
async def test_every_lease_comes_to_exactly_one_end(bench: Bench, seed: int) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(POOLS[0], least=1, most=3, environment="one"))
    await scheduler.declare(declaration(POOLS[1], least=0, most=2, concurrency=4, environment="two"))
    soak = Soak(bench, scheduler, seed)
    for _ in range(STEPS):
        await soak.step()
    await soak.finish()
    for lease, outcome in soak.outcomes.items():
        assert len(outcome) <= 1, f"lease {lease} ended {outcome}"
        assert outcome or lease in soak.revoked
    # Nothing is held any more, and with time everything goes.
    for _ in range(100):
        await soak.pass_time(2.0)
        await next_turn()
    await bench.until(lambda: not bench.cluster.workers)
    assert not bench.service.reuse_pool.list_pools()
