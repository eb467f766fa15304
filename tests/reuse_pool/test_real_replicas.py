"""Real replicas: processes of this machine that execute user code, through the whole of the pool."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.reuse_pool import warm_tasks

from flyte.types.interface import interface_codec
from flyte.wire.task_spec import digest_of, task_to_proto
from flyteapi.common.v1.identity_pb2 import RunId, Scope
from flyteapi.common.v1.phase_pb2 import PHASE_FAILED, PHASE_SUCCEEDED
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    AssignRequest,
    AssignResponse,
    DeclarePool,
    PlaceAttempt,
    PoolOrder,
    RevokeLease,
)
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteapi.scheduler.v1.worker_service_pb2 import (
    ActionResult,
    Assign,
    AttemptEnded,
    DeclareRun,
    DeclareTask,
    EndAccepted,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.task.v1.task_spec_pb2 import SecretRequest, TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.process import ProcessCluster
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.ids import SystemIds
from flyteplane.reuse_pool.application.ports import SecretValues
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.rpc.inprocess import InProcessServer

RUN = "p/d/r1"
REPOSITORY = Path(__file__).resolve().parents[2]


class _Vault:
    async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
        return SecretValues(env={"TOKEN": b"s3cret"})


@dataclass
class MiniScheduler:
    """As much of a scheduler as a pool needs: it places children and hands results to their parents."""

    call: Any
    outcomes: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    parents: dict[int, tuple[int, int]] = field(default_factory=dict)
    tasks: dict[bytes, TaskSpec] = field(default_factory=dict)
    leases: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    pools: dict[str, str] = field(default_factory=dict)
    replicas: dict[int, str] = field(default_factory=dict)
    started: dict[int, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def open(self, prefix: str) -> None:
        run = RunId(project="p", domain="d", name="r1")
        await self.send(PoolOrder(declare_run=DeclareRun(run=run, key=RUN, data_prefix=prefix)))

    async def send(self, *orders: PoolOrder) -> None:
        await self.call.write(AssignRequest(orders=orders))

    async def declare(self, spec: TaskSpec, **pool: Any) -> None:
        digest = digest_of(spec)
        if digest in self.tasks:
            return
        self.tasks[digest] = spec
        if spec.environment not in self.pools:
            name = self.pools[spec.environment] = spec.environment.ljust(64, "0")
            declared = DeclarePool(
                pool=name,
                scope=Scope(project="p", domain="d"),
                environment=spec.environment,
                policy=spec.reuse,
                template=spec,
            )
            declared.template.secrets.extend(pool.get("secrets", ()))
            await self.send(PoolOrder(declare_pool=declared))
        declare = DeclareTask(digest=digest, spec=spec, bundle_path=str(REPOSITORY))
        await self.send(PoolOrder(declare_task=declare))

    async def start(self, task: Any, *, secrets: tuple[SecretRequest, ...] = (), **inputs: Any) -> int:
        """Place an attempt of a task; returns its lease."""
        spec = task_to_proto(task, module="tests.reuse_pool.warm_tasks", attribute=task.func.__name__)
        await self.declare(spec, secrets=secrets)
        payload = Payload(inline=interface_codec(task.native_interface).encode_inputs((), inputs))
        return await self.place(digest_of(spec), f"root{len(self.outcomes)}", payload)

    async def place(self, digest: bytes, action: str, inputs: Payload) -> int:
        lease, spec = next(self.leases), self.tasks[digest]
        self.outcomes[lease] = asyncio.get_running_loop().create_future()
        assign = Assign(run=RUN, action=action, attempt=1, task_digest=digest, inputs=inputs)
        pool = self.pools[spec.environment]
        place = PlaceAttempt(pool=pool, lease=lease, assign=assign, is_async=spec.is_async)
        await self.send(PoolOrder(place=place))
        return lease

    async def value(self, lease: int, task: Any) -> Any:
        """What a task returned. Raises AssertionError with what happened instead."""
        outcome = await asyncio.wait_for(self.outcomes[lease], 30)
        assert isinstance(outcome, AttemptEnded), str(outcome)
        assert outcome.WhichOneof("outcome") == "outputs", outcome.error.message
        return interface_codec(task.native_interface).decode_outputs(outcome.outputs.inline)

    async def read(self) -> None:
        async for response in self.call:
            await self.received(response)

    async def received(self, response: AssignResponse) -> None:
        for report in response.reports:
            kind = report.WhichOneof("report")
            if kind == "forward":
                await self.forwarded(report.forward)
            elif kind == "placed":
                self.replicas[report.placed.lease] = report.placed.replica
            elif kind in ("lost", "refused"):
                message = getattr(report, kind)
                self.outcomes[message.lease].set_result(message)

    async def forwarded(self, report: WorkerReport) -> None:
        kind = report.WhichOneof("report")
        if kind == "started":
            self.started[report.lease].set()
        elif kind == "declare_task":
            await self.declare(report.declare_task.spec)
        elif kind == "submit":
            submit = report.submit
            lease = await self.place(submit.task_digest, submit.name, submit.inputs)
            self.parents[lease] = (report.lease, submit.call)
        elif kind == "ended" and not self.outcomes[report.lease].done():
            self.outcomes[report.lease].set_result(report.ended)
            await self.forward(report.lease, end_accepted=EndAccepted())
            if report.lease in self.parents:
                await self.answer(report.ended, *self.parents[report.lease])

    async def answer(self, ended: AttemptEnded, parent: int, call: int) -> None:
        if ended.HasField("outputs"):
            result = ActionResult(call=call, phase=PHASE_SUCCEEDED, outputs=ended.outputs)
        else:
            result = ActionResult(call=call, phase=PHASE_FAILED, error=ended.error)
        await self.forward(parent, result=result)

    async def forward(self, lease: int, **order: Any) -> None:
        await self.send(PoolOrder(forward=WorkerOrder(lease=lease, **order)))


@pytest.fixture
async def scheduler(tmp_path: Path) -> AsyncIterator[MiniScheduler]:
    cluster = ProcessCluster(tmp_path)
    service = await open_reuse_pool(
        database_url=f"sqlite:///{tmp_path}/reuse_pool.db",
        clusters=[cluster],
        clock=SystemClock(),
        ids=SystemIds(),
        secrets=_Vault(),
    )
    server = InProcessServer()
    service.add_to(server)
    made = MiniScheduler(ReusePoolServiceStub(server.channel()).Assign())
    await made.call.write(AssignRequest(epoch=1))
    reader = asyncio.ensure_future(made.read())
    await made.open(f"file://{tmp_path}/objects/")
    yield made
    made.call.cancel()
    await asyncio.wait([reader])
    await service.close()
    await cluster.close()
    await server.stop(None)


async def test_a_replica_executes_a_task(scheduler: MiniScheduler) -> None:
    lease = await scheduler.start(warm_tasks.add, a=2, b=3)
    assert await scheduler.value(lease, warm_tasks.add) == 5


async def test_a_parent_and_its_children_share_a_replica(scheduler: MiniScheduler) -> None:
    lease = await scheduler.start(warm_tasks.total, count=50)
    assert await scheduler.value(lease, warm_tasks.total) == sum(range(50))
    assert len(set(scheduler.replicas.values())) == 1
    assert len(scheduler.replicas) == 51


async def test_a_recursion_of_sync_tasks_gets_on_by_overflow_replicas(scheduler: MiniScheduler) -> None:
    lease = await scheduler.start(warm_tasks.countdown, depth=3)
    assert await scheduler.value(lease, warm_tasks.countdown) == 3
    assert len(set(scheduler.replicas.values())) == 4


async def test_secrets_are_there_and_the_replica_stays_the_same(scheduler: MiniScheduler) -> None:
    secrets = (SecretRequest(key="token", env_var="TOKEN"),)
    answers = set()
    for _ in range(3):
        lease = await scheduler.start(warm_tasks.whose, secrets=secrets, secret="TOKEN")
        answers.add(await scheduler.value(lease, warm_tasks.whose))
    (answer,) = answers
    assert answer.startswith("s3cret ")


async def test_a_crash_is_charged_to_the_task_and_the_pool_lives_on(scheduler: MiniScheduler) -> None:
    lease = await scheduler.start(warm_tasks.crash)
    lost = await asyncio.wait_for(scheduler.outcomes[lease], 30)
    assert (lost.reason, lost.culprit, lost.exit_code) == ("REPLICA_CRASHED", True, 3)
    lease = await scheduler.start(warm_tasks.countdown, depth=0)
    assert await scheduler.value(lease, warm_tasks.countdown) == 0


async def test_a_revoked_attempt_stops_and_its_neighbours_go_on(scheduler: MiniScheduler) -> None:
    endless = await scheduler.start(warm_tasks.forever)
    await asyncio.wait_for(scheduler.started[endless].wait(), 30)
    neighbour = await scheduler.start(warm_tasks.total, count=3)
    await scheduler.value(neighbour, warm_tasks.total)
    await scheduler.send(PoolOrder(revoke=RevokeLease(lease=endless, reason="aborted")))
    after = await scheduler.start(warm_tasks.add, a=1, b=1)
    assert await scheduler.value(after, warm_tasks.add) == 2
    assert scheduler.replicas[after] == scheduler.replicas[endless]


async def test_an_attempt_that_does_not_stop_is_killed_with_its_replica(scheduler: MiniScheduler) -> None:
    endless = await scheduler.start(warm_tasks.stubborn)
    await asyncio.wait_for(scheduler.started[endless].wait(), 30)
    revoke = RevokeLease(lease=endless, reason="aborted")
    revoke.grace.FromMilliseconds(300)
    await scheduler.send(PoolOrder(revoke=revoke))
    after = await scheduler.start(warm_tasks.countdown, depth=0)
    assert await scheduler.value(after, warm_tasks.countdown) == 0
    assert scheduler.replicas[after] != scheduler.replicas[endless]
