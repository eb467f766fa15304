"""A reuse pool in process, with replicas that do as they are told and a scheduler that writes everything down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc

from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    AssignRequest,
    DeclarePool,
    LeaseLost,
    LeaseRefused,
    PlaceAttempt,
    PoolOrder,
    PoolReport,
    RevokeLease,
)
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import (
    Assign,
    AttemptEnded,
    AttemptStarted,
    DeclareRun,
    DeclareTask,
    Drained,
    EndAccepted,
    SubmitAction,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.task.v1.task_spec_pb2 import ReusePolicy, SecretRequest, TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.memory import MemoryCluster, MemoryWorker
from flyteplane.foundation.clock import ManualClock
from flyteplane.reuse_pool.main import ReusePoolService
from flyteplane.rpc.inprocess import InProcessServer

WAIT_S = 10.0
DIGEST = b"t" * 32
RUN = "p/d/r1"


def obedient(worker: MemoryWorker, order: WorkerOrder) -> Iterable[WorkerReport]:
    """A replica: it ends actions called "quick..." at once, and any other when it is told to or cancelled."""
    kind, lease = order.WhichOneof("order"), order.lease
    if kind == "assign":
        yield WorkerReport(lease=lease, started=AttemptStarted())
        if order.assign.action.startswith("quick"):
            yield ended(lease)
    elif kind == "cancel" and not _assigned(worker, lease).action.startswith("stubborn"):
        error = TaskError(code="CancelledError", message=order.cancel.reason)
        yield WorkerReport(lease=lease, ended=AttemptEnded(error=error))
    if kind in ("drain", "end_accepted") and _has_drained(worker):
        yield WorkerReport(drained=Drained())
        asyncio.get_running_loop().call_soon(worker.exit)


def _has_drained(worker: MemoryWorker) -> bool:
    """Whether it was told to drain and nothing that it was given is left."""
    leases = {kind: {o.lease for o in worker.received if o.HasField(kind)} for kind in ("assign", "end_accepted")}
    return any(o.HasField("drain") for o in worker.received) and leases["assign"] <= leases["end_accepted"]


def _assigned(worker: MemoryWorker, lease: int) -> Assign:
    return next(o.assign for o in worker.received if o.lease == lease and o.HasField("assign"))


def ended(lease: int, outputs: bytes = b"out") -> WorkerReport:
    return WorkerReport(lease=lease, ended=AttemptEnded(outputs=Payload(inline=outputs)))


def submit(lease: int, call: int, name: str) -> WorkerReport:
    return WorkerReport(lease=lease, submit=SubmitAction(call=call, name=name, task_digest=DIGEST))


def declaration(
    pool: str = "a" * 64,
    *,
    least: int = 1,
    most: int = 1,
    concurrency: int = 1,
    environment: str = "env",
    secrets: Iterable[SecretRequest] = (),
    **template: Any,
) -> DeclarePool:
    policy = ReusePolicy(min_replicas=least, max_replicas=most, concurrency=concurrency)
    policy.idle_ttl.FromSeconds(60)
    policy.scaledown_ttl.FromSeconds(30)
    return DeclarePool(
        pool=pool,
        scope=Scope(project="p", domain="d"),
        environment=environment,
        policy=policy,
        template=TaskSpec(environment=environment, secrets=secrets, **template),
    )


class BenchClock(ManualClock):
    """A manual clock that can also stand for a process that was stopped."""

    def stand_still(self, seconds: float) -> None:
        """Timers that fell due in this time fire late, all at its end."""
        self._elapsed += seconds
        self.advance(0.0)


@dataclass
class Scheduler:
    """The other end of the Assign stream."""

    call: grpc.aio.StreamStreamCall[Any, Any]
    reports: list[PoolReport] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    async def read(self) -> None:
        async for response in self.call:
            self.reports.extend(response.reports)
            self.arrived.set()

    async def send(self, *orders: PoolOrder) -> None:
        await self.call.write(AssignRequest(orders=orders))

    async def declare(self, pool: DeclarePool, *, run: str = RUN, digest: bytes = DIGEST) -> None:
        await self.send(
            PoolOrder(declare_pool=pool),
            PoolOrder(declare_run=DeclareRun(key=run)),
            PoolOrder(declare_task=DeclareTask(digest=digest, spec=pool.template)),
        )

    async def place(
        self, lease: int, action: str, *, pool: str = "a" * 64, run: str = RUN, is_async: bool = False, token: str = ""
    ) -> None:
        assign = Assign(run=run, action=action, attempt=1, task_digest=DIGEST, inputs=Payload(inline=b"in"))
        assign.attempt_token = token
        await self.send(PoolOrder(place=PlaceAttempt(pool=pool, lease=lease, assign=assign, is_async=is_async)))

    async def forward(self, lease: int, **order: Any) -> None:
        await self.send(PoolOrder(forward=WorkerOrder(lease=lease, **order)))

    async def accept(self, lease: int) -> None:
        await self.forward(lease, end_accepted=EndAccepted())

    async def revoke(self, lease: int, *, grace_s: int | None = None) -> None:
        revoke = RevokeLease(lease=lease, reason="aborted")
        if grace_s is not None:
            revoke.grace.FromSeconds(grace_s)
        await self.send(PoolOrder(revoke=revoke))

    async def until(self, found: Callable[[PoolReport], bool]) -> PoolReport:
        """The first report that fits, now or when it comes."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for report in self.reports:
                    if found(report):
                        return report
                self.arrived.clear()
                await self.arrived.wait()

    async def placed(self, lease: int) -> str:
        """The replica that a lease was sent to."""
        report = await self.until(lambda r: r.HasField("placed") and r.placed.lease == lease)
        return report.placed.replica

    async def ended(self, lease: int) -> AttemptEnded:
        report = await self.until(
            lambda r: r.HasField("forward") and r.forward.lease == lease and r.forward.HasField("ended")
        )
        return report.forward.ended

    async def lost(self, lease: int) -> LeaseLost:
        return (await self.until(lambda r: r.HasField("lost") and r.lost.lease == lease)).lost

    async def refused(self, lease: int) -> LeaseRefused:
        return (await self.until(lambda r: r.HasField("refused") and r.refused.lease == lease)).refused

    def kinds(self, lease: int) -> list[str]:
        """What was reported of a lease, in order."""
        kinds: list[str] = []
        for report in self.reports:
            kind = str(report.WhichOneof("report"))
            message = getattr(report, kind)
            if getattr(message, "lease", None) == lease:
                kinds.append(str(message.WhichOneof("report")) if kind == "forward" else kind)
        return kinds

    async def close(self) -> None:
        self.call.cancel()
        if self.reader is not None:
            await asyncio.wait([self.reader])


async def next_turn() -> None:
    """Lets everything else on the loop take one step; all of it is in memory."""
    await asyncio.sleep(0)


@dataclass
class Bench:
    """A running service and what surrounds it."""

    service: ReusePoolService
    server: InProcessServer
    cluster: MemoryCluster
    clock: BenchClock
    schedulers: list[Scheduler] = field(default_factory=list)

    @property
    def stub(self) -> Any:
        return ReusePoolServiceStub(self.server.channel())

    async def scheduler(self, *, epoch: int = 1) -> Scheduler:
        """Opens an Assign stream."""
        scheduler = Scheduler(self.stub.Assign())
        await scheduler.call.write(AssignRequest(epoch=epoch))
        scheduler.reader = asyncio.ensure_future(scheduler.read())
        self.schedulers.append(scheduler)
        await scheduler.until(lambda report: report.HasField("resumed"))
        return scheduler

    def worker(self, name: str) -> MemoryWorker:
        return self.cluster.workers[name]

    async def orders(self, name: str, kind: str, *, count: int = 1) -> list[WorkerOrder]:
        """The orders of a kind that a replica got, once there are so many."""
        worker = self.worker(name)
        async with asyncio.timeout(WAIT_S):
            while True:
                found = [order for order in worker.received if order.WhichOneof("order") == kind]
                if len(found) >= count:
                    return found
                await next_turn()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await next_turn()
