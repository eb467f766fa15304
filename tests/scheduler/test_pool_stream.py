"""Attempts on replicas: the scheduler's end of the Assign stream, against a pool that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.scheduler.harness import settle, task
from tests.scheduler.placements import KEY, Stage

from flyte.spec.digests import task_digest
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    AssignRequest,
    AssignResponse,
    LeaseLost,
    LeasePlaced,
    LeaseRefused,
    PlaceAttempt,
    PoolOrder,
    PoolReport,
    Resumed,
)
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import (
    ReusePoolServiceServicer,
    add_ReusePoolServiceServicer_to_server,
)
from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    AttemptStarted,
    DeclareTask,
    SubmitAction,
    WorkerReport,
)
from flyteapi.task.v1.task_spec_pb2 import SecretRequest, TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import Cluster
from flyteplane.foundation.errors import NotFound, PlatformError, Unavailable
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.scheduler.clients.pool_declarations import PoolDeclarations, pool_name
from flyteplane.scheduler.clients.pool_stream import LEAST_AWAY_S, REOPEN_S, PoolStream
from flyteplane.scheduler.domain.phases import Phase

BUNDLE = "b" * 64


class FakePool(ReusePoolServiceServicer):
    """The reuse pool, as far as the wire shows it."""

    def __init__(self) -> None:
        self.messages: list[AssignRequest] = []
        self.streams = 0
        self.epochs: list[int] = []
        self.holds = Resumed()
        """What it says that it holds when a stream is opened."""
        self.refusal: PlatformError | None = None
        """What it answers to a new stream."""
        self._out: asyncio.Queue[AssignResponse | PlatformError | None] = asyncio.Queue()

    async def Assign(
        self, request_iterator: AsyncIterable[AssignRequest], context: Any
    ) -> AsyncIterator[AssignResponse]:
        """See the proto."""
        self.streams += 1
        self._out = asyncio.Queue()
        if self.refusal is not None:
            raise self.refusal
        self.epochs.append((await anext(aiter(request_iterator))).epoch)
        yield AssignResponse(reports=[PoolReport(resumed=self.holds)])
        reading = asyncio.ensure_future(self._read(request_iterator))
        try:
            while (said := await self._out.get()) is not None:
                if isinstance(said, PlatformError):
                    raise said
                yield said
        finally:
            reading.cancel()

    async def ListPools(self, request: Any, context: Any) -> Any:
        """Not used by the scheduler, like those that follow."""
        raise NotImplementedError

    GetPool = DrainPool = ResizePool = ListPools

    async def WatchPools(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Not used by the scheduler."""
        raise NotImplementedError
        yield

    async def _read(self, requests: AsyncIterable[AssignRequest]) -> None:
        async for request in requests:
            self.messages.append(request)

    @property
    def orders(self) -> list[PoolOrder]:
        """Everything that the scheduler has said so far, without what ends the comparison of each stream."""
        return [order for message in self.messages for order in message.orders if not order.HasField("settled")]

    def kinds(self) -> list[str]:
        """The same, in short."""
        return [str(order.WhichOneof("order")) for order in self.orders]

    @property
    def placed(self) -> list[PlaceAttempt]:
        """Attempts that were to be placed."""
        return [order.place for order in self.orders if order.HasField("place")]

    async def say(self, **report: Any) -> None:
        """Tells the scheduler something."""
        self._out.put_nowait(AssignResponse(reports=[PoolReport(**report)]))
        await settle()

    async def forward(self, lease: int, **report: Any) -> None:
        """A worker says something."""
        await self.say(forward=WorkerReport(lease=lease, **report))

    async def end(self, error: PlatformError | None = None) -> None:
        """The stream ends, with an error or without."""
        self._out.put_nowait(error)
        await settle()


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@asynccontextmanager
async def staged(folder: Path, pool: FakePool, *, clusters: Sequence[Cluster] | None = None) -> AsyncIterator[Stage]:
    server = InProcessServer()
    add_ReusePoolServiceServicer_to_server(pool, server)

    def make(stage: Stage) -> dict[str, PoolStream]:
        stream = PoolStream(
            engine=stage.scheduler.engine,
            channel=server.channel(),
            declarations=PoolDeclarations(
                clusters={cluster.name: cluster for cluster in stage.clusters},
                resource_class=stage.scheduler.admission.resource_class,
                secrets=stage.secrets,
                bundle_path=stage.bundles.path,
            ),
            mint_token=stage.token,
            background=stage.scheduler.background,
            clock=stage.clock,
            data_prefix="file:///data/",
        )
        return {"pool": stream}

    stage = Stage(folder, make, clusters=clusters)
    await stage.start()
    yield stage
    await stage.close()
    await server.stop(None)


@pytest.fixture
async def stage(tmp_path: Path, pool: FakePool) -> AsyncIterator[Stage]:
    async with staged(tmp_path, pool) as made:
        yield made


@pytest.fixture
async def pods(tmp_path: Path, pool: FakePool) -> AsyncIterator[Stage]:
    """The same with replicas that are pods."""
    async with staged(tmp_path, pool, clusters=[MemoryCluster(outlives_owner=True)]) as made:
        yield made


def _spec(name: str = "env.work", *, retries: int = 0, bundle: str = "", secret: bool = False) -> TaskSpec:
    spec = task(name, retries=retries, reuse=True)
    spec.entrypoint.bundle_digest = bundle
    if secret:
        spec.secrets.append(SecretRequest(key="password", env_var="PASSWORD"))
    return spec


# --- placing --------------------------------------------------------------------------------------------------------


async def test_pool_task_and_run_are_declared_before_the_first_attempt(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec(bundle=BUNDLE))
    assert pool.kinds() == ["declare_pool", "declare_task", "declare_run", "place"]
    declare, declared, run, place = pool.orders
    assert declare.declare_pool.bundle_path == f"/bundles/{BUNDLE}"
    assert declare.declare_pool.policy == _spec().reuse
    assert declared.declare_task.digest == place.place.assign.task_digest
    assert run.declare_run.key == place.place.assign.run
    assert place.place.pool == declare.declare_pool.pool
    assert place.place.lease == stage.state().lease
    assert place.place.is_async


async def test_what_was_declared_once_is_not_declared_again(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    await stage.submit(_spec(), name="r2")
    assert pool.kinds() == ["declare_pool", "declare_task", "declare_run", "place", "declare_run", "place"]


async def test_attempts_of_one_turn_go_out_as_one_message(stage: Stage, pool: FakePool) -> None:
    parent, child = _spec("env.parent"), _spec("env.child")
    await stage.submit(parent)
    lease, digest = stage.state().lease, task_digest(child)
    pool.messages.clear()
    reports = [PoolReport(forward=WorkerReport(lease=lease, declare_task=DeclareTask(digest=digest, spec=child)))]
    for number in range(50):
        submit = SubmitAction(call=number, name=f"c{number}", task_digest=digest)
        reports.append(PoolReport(forward=WorkerReport(lease=lease, submit=submit)))
    pool._out.put_nowait(AssignResponse(reports=reports))
    await settle()
    assert len(pool.placed) == 50
    assert len(pool.messages) <= 2


async def test_an_attempt_runs_and_its_end_is_accepted(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    lease = pool.placed[0].lease
    await pool.say(placed=LeasePlaced(lease=lease, replica="replica-1"))
    assert stage.state().worker == "replica-1"
    await pool.forward(lease, started=AttemptStarted())
    assert await stage.phase() is Phase.RUNNING
    await pool.forward(lease, ended=AttemptEnded(outputs=Payload(inline=b"42")))
    assert await stage.phase() is Phase.SUCCEEDED
    assert pool.orders[-1].forward.lease == lease
    assert pool.orders[-1].forward.HasField("end_accepted")


async def test_an_attempt_that_is_over_is_revoked(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    await stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    await settle()
    revoke = pool.orders[-1].revoke
    assert (revoke.lease, revoke.reason) == (pool.placed[0].lease, "enough")
    assert revoke.HasField("grace")


async def test_an_attempt_that_is_over_before_its_pool_is_declared_is_not_placed(stage: Stage, pool: FakePool) -> None:
    stage.bundles.ready.clear()
    await stage.submit(_spec(bundle=BUNDLE))
    await stage.submit(_spec(bundle=BUNDLE), name="r2")
    await stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    stage.bundles.ready.set()
    await settle()
    assert [place.assign.run for place in pool.placed] == ["project/domain/r2"]


async def test_an_attempt_that_was_replaced_while_its_pool_was_declared_is_placed_once(
    stage: Stage, pool: FakePool
) -> None:
    stage.bundles.ready.clear()
    spec = _spec(retries=3, bundle=BUNDLE)
    spec.timeouts.max_queued_time.seconds = 5
    await stage.submit(spec)
    await stage.advance(5.1)
    await stage.advance(1)
    stage.bundles.ready.set()
    await settle()
    assert [place.lease for place in pool.placed] == [stage.state().lease]


# --- losses ---------------------------------------------------------------------------------------------------------

LOSSES = [
    (LeaseLost(reason="REPLICA_LOST"), (0, 1, 0)),
    (LeaseLost(reason="REPLICA_LOST", signal=9), (0, 1, 0)),
    (LeaseLost(reason="REPLICA_CRASHED", signal=9, culprit=True), (0, 1, 1)),
    (LeaseLost(reason="REPLICA_CRASHED", exit_code=3, culprit=True), (1, 0, 0)),
    (LeaseLost(reason="REPLICA_CRASHED", exit_code=3), (0, 1, 0)),
    (LeaseLost(reason="OUT_OF_MEMORY", signal=9, culprit=True), (1, 0, 0)),
    (LeaseLost(), (0, 1, 0)),
]


@pytest.mark.parametrize(("lost", "charged"), LOSSES, ids=lambda value: str(value).replace("\n", " "))
async def test_a_loss_is_charged_to_whoever_caused_it(
    stage: Stage, pool: FakePool, lost: LeaseLost, charged: tuple[int, int, int]
) -> None:
    await stage.submit(_spec(retries=1))
    lost.lease = pool.placed[0].lease
    await pool.say(lost=lost)
    state = stage.state()
    assert (state.task_failures, state.system_failures, state.killed) == charged
    await stage.advance(1)
    assert len(pool.placed) == 2


@pytest.mark.parametrize(("culprit", "tries"), [(True, 3), (False, 20)])
async def test_who_took_a_replica_down_is_tried_less_often_than_its_neighbours(
    stage: Stage, pool: FakePool, culprit: bool, tries: int
) -> None:
    await stage.submit(_spec())
    for number in range(tries + 1):
        assert len(pool.placed) == number + 1
        crashed = LeaseLost(lease=pool.placed[-1].lease, reason="REPLICA_CRASHED", signal=11, culprit=culprit)
        await pool.say(lost=crashed)
        await stage.advance(60)
    assert await stage.phase() is Phase.FAILED


async def test_a_task_that_is_quarantined_ends(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec(retries=5))
    await pool.say(lost=LeaseLost(lease=pool.placed[0].lease, reason="QUARANTINED", culprit=True, message="enough"))
    assert await stage.phase() is Phase.FAILED
    assert await stage.error_code() == "QUARANTINED"


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_refusal_is_tried_again_only_if_that_can_help(stage: Stage, pool: FakePool, retryable: bool) -> None:
    await stage.submit(_spec(retries=5))
    refused = LeaseRefused(lease=pool.placed[0].lease, reason="REPLICA_START_FAILED", retryable=retryable)
    await pool.say(refused=refused)
    assert await stage.phase() is (Phase.QUEUED if retryable else Phase.FAILED)


async def test_a_pool_that_has_forgotten_what_was_declared_is_told_again(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    await pool.say(refused=LeaseRefused(lease=pool.placed[0].lease, reason="NOT_DECLARED", retryable=True))
    pool.messages.clear()
    await stage.advance(1)
    assert pool.kinds() == ["declare_pool", "declare_task", "declare_run", "place"]


# --- breaks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unavailable("the pool is restarting"), None], ids=["broken", "ended"])
async def test_a_stream_that_breaks_loses_no_attempt_that_the_pool_still_holds(
    stage: Stage, pool: FakePool, error: PlatformError | None
) -> None:
    await stage.submit(_spec(retries=0))
    lease = pool.placed[0].lease
    pool.holds = Resumed(running=[lease])
    await pool.end(error)
    await stage.advance(REOPEN_S)
    assert pool.streams == 2
    assert stage.state().lease == lease
    await pool.forward(lease, ended=AttemptEnded(outputs=Payload(inline=b"right")))
    assert (await stage.scheduler.queries.data(KEY, "a0")).outputs.inline == b"right"
    assert len(pool.placed) == 1


async def test_what_the_pool_no_longer_holds_is_placed_again_and_charged_to_nobody(
    stage: Stage, pool: FakePool
) -> None:
    await stage.submit(_spec(retries=0))
    first = pool.placed[0].lease
    await pool.end(Unavailable("the pool is restarting"))
    pool.messages.clear()
    await stage.advance(REOPEN_S)
    await stage.advance(1)
    assert pool.kinds() == ["declare_pool", "declare_task", "declare_run", "place"]
    second = pool.placed[0].lease
    assert second > first
    assert (stage.state().task_failures, stage.state().killed) == (0, 0)
    await pool.forward(first, ended=AttemptEnded(outputs=Payload(inline=b"late")))
    assert pool.orders[-1].forward.HasField("lease_revoked")
    await pool.forward(second, ended=AttemptEnded(outputs=Payload(inline=b"right")))
    assert (await stage.scheduler.queries.data(KEY, "a0")).outputs.inline == b"right"


async def test_what_is_placed_while_the_pool_is_away_is_sent_once_it_is_back(stage: Stage, pool: FakePool) -> None:
    await pool.end(Unavailable("the pool is restarting"))
    await stage.submit(_spec(retries=0))
    await stage.submit(_spec(), name="r2")
    await stage.scheduler.queries.abort(KEY._replace(name="r2"), "a0", reason="enough")
    assert not pool.placed
    await stage.advance(REOPEN_S)
    assert [place.lease for place in pool.placed] == [stage.state().lease]
    assert stage.state().attempt == 1


async def test_a_pool_that_is_declared_while_the_stream_breaks_is_declared_on_the_next(
    stage: Stage, pool: FakePool
) -> None:
    stage.bundles.ready.clear()
    await stage.submit(_spec(bundle=BUNDLE))
    await pool.end(Unavailable("the pool is restarting"))
    stage.bundles.ready.set()
    await settle()
    assert not pool.placed
    await stage.advance(REOPEN_S)
    assert pool.kinds() == ["declare_pool", "declare_task", "declare_run", "place"]


async def test_an_end_that_was_answered_into_a_break_is_answered_again(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    lease = pool.placed[0].lease
    await pool.forward(lease, ended=AttemptEnded(outputs=Payload(inline=b"42")))
    pool.holds = Resumed(running=[lease])
    await pool.end(Unavailable("the pool is restarting"))
    pool.messages.clear()
    await stage.advance(REOPEN_S)
    assert [order.revoke.lease for order in pool.orders if order.HasField("revoke")] == [lease]


async def test_an_abort_during_a_break_is_not_forgotten(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    pool.holds = Resumed(waiting=[pool.placed[0].lease])
    await pool.end(Unavailable("the pool is restarting"))
    await stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    pool.messages.clear()
    await stage.advance(REOPEN_S)
    assert [order.revoke.lease for order in pool.orders if order.HasField("revoke")] == list(pool.holds.waiting)


async def test_a_pool_that_stays_away_loses_its_attempts_after_a_while(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec(retries=0))
    lease = pool.placed[0].lease
    pool.refusal = Unavailable("nobody leads")
    await pool.end(Unavailable("the pool is restarting"))
    for _ in range(int(LEAST_AWAY_S) - 1):
        await stage.advance(1)
    assert stage.state().lease == lease
    await stage.advance(1)
    await stage.advance(1)
    assert stage.state().system_failures == 1
    pool.refusal = None
    pool.holds = Resumed(running=[lease])
    await stage.advance(REOPEN_S)
    assert [order.revoke.lease for order in pool.orders if order.HasField("revoke")] == [lease]
    assert pool.placed[-1].lease == stage.state().lease != lease


# --- another scheduler ----------------------------------------------------------------------------------------------


async def test_the_next_scheduler_goes_on_with_what_the_pool_holds(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec(retries=0))
    lease = pool.placed[0].lease
    await pool.forward(lease, started=AttemptStarted())
    await stage.close()
    pool.holds = Resumed(running=[lease, 7], waiting=[8])
    pool.messages.clear()
    await stage.start()
    assert await stage.phase() is Phase.RUNNING
    assert [order.revoke.lease for order in pool.orders if order.HasField("revoke")] == [7, 8]
    await pool.forward(lease, ended=AttemptEnded(outputs=Payload(inline=b"right")))
    assert (await stage.scheduler.queries.data(KEY, "a0")).outputs.inline == b"right"
    assert not pool.placed


async def test_each_scheduler_says_which_it_is_before_anything_else(stage: Stage, pool: FakePool) -> None:
    await stage.close()
    await stage.start()
    assert pool.epochs == sorted(set(pool.epochs))
    assert len(pool.epochs) == 2


async def test_an_attempt_that_may_run_on_a_pod_is_asked_for(pods: Stage, pool: FakePool) -> None:
    await pods.submit(_spec(retries=0))
    lease = pool.placed[0].lease
    await pods.close()
    pool.messages.clear()
    await pods.start()
    assert pool.kinds() == ["declare_task", "declare_run", "place"]
    assert pool.messages[-1].orders[-1].HasField("settled")
    (place,) = pool.placed
    assert (place.lease, place.resumed) == (lease, True)
    await pool.say(lost=LeaseLost(lease=lease, reason="PLATFORM_RESTARTED"))
    await pods.advance(1)
    assert not pool.placed[-1].resumed
    assert pods.state().task_failures == 0


# --- what a pool needs ----------------------------------------------------------------------------------------------


async def test_a_secret_that_does_not_exist_ends_the_action(stage: Stage, pool: FakePool) -> None:
    stage.secrets.error = NotFound("there is no secret password", reason="SECRET_NOT_FOUND")
    await stage.submit(_spec(retries=3, secret=True))
    assert await stage.phase() is Phase.FAILED
    assert await stage.error_code() == "SECRET_NOT_FOUND"
    assert not pool.placed


async def test_secrets_that_cannot_be_asked_for_now_are_asked_for_again(stage: Stage, pool: FakePool) -> None:
    stage.secrets.error = Unavailable("the secrets service is starting")
    await stage.submit(_spec(retries=0, secret=True))
    assert stage.state().phase is Phase.QUEUED
    stage.secrets.error = None
    await stage.advance(1)
    assert len(pool.placed) == 1
    assert list(pool.orders[0].declare_pool.secret_versions) == [3]


async def test_the_end_of_the_platform_is_charged_to_nobody(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec(retries=0))
    for _ in range(3):
        await stage.close()
        await stage.start()
    state = stage.state()
    assert (state.killed, state.system_failures, state.task_failures) == (0, 0, 0)
    assert pool.placed[-1].lease == state.lease


async def test_after_the_end_nothing_is_sent_and_nothing_fails(stage: Stage, pool: FakePool) -> None:
    await stage.submit(_spec())
    sent = len(pool.orders)
    await stage.placements["pool"].close()
    await stage.submit(_spec(), name="r2")
    await stage.scheduler.queries.abort(KEY, "a0", reason="enough")
    await settle()
    assert len(pool.orders) == sent
    assert not stage.failures


def _name(spec: TaskSpec, **changed: Any) -> str:
    given: dict[str, Any] = {"run": KEY, "scope_run": "", "secret_versions": [(1, "org")]}
    given |= {"cluster": "local", "resource_class": "small", "run_env": {}, **changed}
    return pool_name(spec, **given)


def test_whatever_replicas_share_makes_the_identity_of_their_pool() -> None:
    names = {_name(_spec())}
    for change in ("environment", "image", "resources", "env", "reuse", "service_account", "bundle", "secrets"):
        spec = _spec()
        if change == "image":
            spec.image.python_packages.append("numpy")
        elif change == "resources":
            spec.resources.cpu = "1"
        elif change == "env":
            spec.env["A"] = "b"
        elif change == "reuse":
            spec.reuse.max_replicas = 9
        elif change == "bundle":
            spec.entrypoint.bundle_digest = "other"
        elif change == "secrets":
            spec.secrets.append(SecretRequest(key="k", env_var="K"))
        else:
            setattr(spec, change, "other")
        names.add(_name(spec))
    names.add(_name(_spec(), run=KEY._replace(project="other")))
    names.add(_name(_spec(), run=KEY._replace(domain="other")))
    names.add(_name(_spec(), scope_run="r1"))
    names.add(_name(_spec(), secret_versions=[(2, "org")]))
    names.add(_name(_spec(), secret_versions=[(1, "project")]))
    names.add(_name(_spec(), cluster="other"))
    names.add(_name(_spec(), resource_class="other"))
    names.add(_name(_spec(), run_env={"A": "b"}))
    names.add(_name(_spec(), run_env={"A": "c"}))
    assert len(names) == 18


def test_what_belongs_to_one_task_does_not() -> None:
    spec = _spec("env.other", retries=5)
    spec.timeouts.deadline.seconds = 5
    spec.cache.enabled = True
    spec.entrypoint.attribute = "other"
    assert _name(spec) == _name(_spec())
    assert _name(_spec(), run=KEY._replace(name="r2")) == _name(_spec())
