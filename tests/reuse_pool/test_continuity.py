"""A reuse pool that begins anew while its replicas, pods, go on: what they run is not lost, and not run twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from tests.reuse_pool.bench import Bench, BenchClock, Scheduler, declaration, ended, submit
from tests.reuse_pool.test_replicas_over_the_network import Pod, Tokens

from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceStub
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool, PlaceAttempt, PoolOrder, Settled
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, Heartbeat, LogChunk, WorkerReport
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import WorkerSpec
from flyteplane.foundation.errors import NotFound
from flyteplane.foundation.ids import SystemIds
from flyteplane.reuse_pool.application.ports import ReplicaRecord, SecretValues
from flyteplane.reuse_pool.main import open_reuse_pool
from flyteplane.rpc.inprocess import InProcessServer

CONTACT_S = 20.0
MARGIN_S = 5.0


class Vault:
    """Secrets that may be gone."""

    gone = False

    async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
        if self.gone:
            raise NotFound("there is no secret")
        return SecretValues(env={"PASSWORD": b"hidden"})


async def _set(event: asyncio.Event) -> None:
    event.set()


class Lives:
    """One reuse pool after another on one register and one cluster of pods."""

    def __init__(self, folder: Path) -> None:
        self.cluster = MemoryCluster(outlives_owner=True, contact_s=CONTACT_S)
        self.clock = BenchClock()
        self.vault = Vault()
        self.folder = folder
        self.benches: list[Bench] = []
        self.failures: list[BaseException] = []
        self.begun = 0

    async def begin(self) -> Bench:
        """Another leader. The one before is not told: it may as well be dead, or paused."""
        self.begun += 1
        number = self.begun
        service = await open_reuse_pool(
            database_url=f"sqlite:///{self.folder}/reuse_pool.db",
            clusters=[self.cluster],
            clock=self.clock,
            ids=SystemIds(),
            secrets=self.vault,
            tokens=Tokens(),
            leads=lambda: self.begun == number,
            on_failure=self.failures.append,
        )
        server = InProcessServer()
        service.add_to(server)
        service.add_workers_to(server)
        bench = Bench(service, server, self.cluster, self.clock)
        self.benches.append(bench)
        return bench

    async def kill(self) -> None:
        """The last one dies: streams break, and nothing more is written."""
        bench = self.benches[-1]
        for scheduler in bench.schedulers:
            await scheduler.close()
        await bench.server.stop(None)

    def pod(self) -> Pod:
        """A stream of a replica to the present leader."""
        return Pod(ReplicaServiceStub(self.benches[-1].server.channel()))

    async def came_up(self, number: int = 0) -> str:
        """The name of a replica that was started."""
        await self.benches[-1].until(lambda: len(self.cluster.started) > number)
        return self.cluster.started[number].name

    async def noted(self) -> None:
        """Return when what was noted in the background is written."""
        for _ in range(2):
            # Notes of one batch are written side by side; the second time, those before the first are written.
            written = asyncio.Event()
            self.benches[-1].service._journal.note(partial(_set, written))
            await written.wait()

    async def close(self) -> None:
        for bench in self.benches:
            for scheduler in bench.schedulers:
                await scheduler.close()
            await bench.server.stop(None)
            await bench.service.close()


@pytest.fixture
async def lives(tmp_path: Path) -> AsyncIterator[Lives]:
    made = Lives(tmp_path)
    yield made
    await made.close()


async def at_work(lives: Lives, *leases: int, concurrency: int = 2, **declared: object) -> str:
    """A pool with one replica that runs some leases; returns its name. Then the pool is killed."""
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(concurrency=concurrency, **declared))  # type: ignore[arg-type]
    name, pod = await lives.came_up(), lives.pod()
    await pod.hello(f"token of {name}")
    for lease in leases:
        await scheduler.place(lease, f"action{lease}", is_async=True)
        await pod.order("assign")
    await lives.noted()
    await lives.kill()
    return name


async def settle(scheduler: Scheduler, *leases: int) -> None:
    """The scheduler says what it holds."""
    pool = declaration(concurrency=2)
    await scheduler.declare(pool)
    places = [
        PlaceAttempt(
            lease=lease,
            assign=Assign(run="p/d/r1", action=f"action{lease}", attempt=1, task_digest=b"t" * 32),
            is_async=True,
            resumed=True,
        )
        for lease in leases
    ]
    await scheduler.send(*(PoolOrder(place=place) for place in places), PoolOrder(settled=Settled()))


async def test_a_replica_that_is_back_first_goes_on_once_the_scheduler_has_settled(lives: Lives) -> None:
    name = await at_work(lives, 1)
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    await pod.say(submit(1, 4, "child"), WorkerReport(lease=1, log=LogChunk(data=b"said meanwhile")))
    scheduler = await bench.scheduler()
    assert not scheduler.reports[0].resumed.running
    await settle(scheduler, 1)
    await scheduler.until(lambda report: report.forward.HasField("submit"))
    assert scheduler.kinds(1)[:3] == ["placed", "started", "submit"]
    await pod.say(ended(1))
    await scheduler.ended(1)
    await scheduler.accept(1)
    assert (await pod.order("end_accepted")).lease == 1
    assert len(lives.cluster.started) == 1


async def test_a_scheduler_that_has_settled_first_hears_of_a_replica_that_comes_later(lives: Lives) -> None:
    name = await at_work(lives, 1, 2)
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await settle(scheduler, 1, 2)
    lives.clock.advance(CONTACT_S)
    pod = lives.pod()
    await pod.hello(f"token of {name}", running=(1, 2))
    await pod.say(ended(1))
    await scheduler.ended(1)
    assert await scheduler.placed(2) == name
    assert not any(report.HasField("lost") for report in scheduler.reports)


async def test_an_end_that_nobody_heard_is_delivered_once(lives: Lives) -> None:
    name = await at_work(lives, 1)
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    await pod.say(ended(1))
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await scheduler.ended(1)
    await scheduler.accept(1)
    await pod.order("end_accepted")
    assert scheduler.kinds(1).count("ended") == 1


async def test_what_stays_away_for_longer_than_it_may_work_is_lost_and_not_before(lives: Lives) -> None:
    await at_work(lives, 1)
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    for _ in range(int(CONTACT_S + MARGIN_S) - 1):
        lives.clock.advance(1)
    await asyncio.sleep(0.01)
    assert "lost" not in scheduler.kinds(1)
    lives.clock.advance(1.1)
    lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit) == ("PLATFORM_RESTARTED", False)
    await lives.came_up(1)


async def test_a_replica_that_waits_for_the_scheduler_is_not_given_up(lives: Lives) -> None:
    name = await at_work(lives, 1)
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    for sequence in range(1, 40):
        lives.clock.advance(2)
        await pod.say(WorkerReport(heartbeat=Heartbeat(sequence=sequence)))
        assert (await pod.order("heartbeat_answer")).heartbeat_answer.sequence == sequence
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await pod.say(ended(1))
    await scheduler.ended(1)


async def test_a_replica_that_the_cluster_does_not_have_any_more_is_lost_at_once(lives: Lives) -> None:
    name = await at_work(lives, 1)
    lives.cluster.workers.pop(name)
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await scheduler.lost(1)


async def test_a_replica_whose_pool_is_not_known_any_more_is_removed(lives: Lives) -> None:
    bench = await lives.begin()
    unknown = ReplicaRecord(name="lost-1", pool="b" * 64, started_at=0.0, cluster="memory", warm=True)
    await bench.service._store.note_replica(unknown)
    await _start(lives, "lost-1")
    await lives.begin()
    await bench.until(lambda: "lost-1" not in lives.cluster.workers)


async def _start(lives: Lives, name: str) -> None:
    await lives.cluster.start(WorkerSpec(name=name, replica=True), lives.benches[-1].service.reuse_pool.replicas)


async def test_a_cluster_that_cannot_be_asked_loses_nothing(lives: Lives) -> None:
    name = await at_work(lives, 1)
    lives.cluster.unreachable = "the API server is away"
    bench, pod = await lives.begin(), lives.pod()
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await pod.hello(f"token of {name}", running=(1,))
    await pod.say(ended(1))
    await scheduler.ended(1)


async def test_what_the_scheduler_does_not_hold_is_stopped_and_its_slot_given_on(lives: Lives) -> None:
    name = await at_work(lives, 1, concurrency=1)
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    scheduler = await bench.scheduler()
    await settle(scheduler)
    assert (await pod.order("cancel")).lease == 1
    await scheduler.place(2, "next")
    await pod.say(ended(1))
    assert (await pod.order("end_accepted")).lease == 1
    assert (await pod.order("assign")).lease == 2
    assert scheduler.kinds(1) == []


async def test_an_attempt_that_nobody_came_back_with_is_lost_when_all_are_back(lives: Lives) -> None:
    name = await at_work(lives, 1)
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    scheduler = await bench.scheduler()
    await settle(scheduler, 1, 2)
    await scheduler.lost(2)
    assert "lost" not in scheduler.kinds(1)
    assert bench.service.reuse_pool._registry.continued == {
        "takeovers": 1,
        "replicas_adopted": 1,
        "attempts_resumed": 1,
        "attempts_lost_in_takeovers": 1,
    }


async def test_an_aborted_attempt_is_not_taken_up_again(lives: Lives) -> None:
    name = await at_work(lives, 1)
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await scheduler.revoke(1, grace_s=5)
    pod = lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    assert (await pod.order("cancel")).lease == 1


async def test_the_next_scheduler_is_told_what_is_still_expected(lives: Lives) -> None:
    await at_work(lives, 1)
    bench = await lives.begin()
    first = await bench.scheduler()
    await settle(first, 1)
    # Refused for sure, which says that all before it was taken.
    await first.place(99, "unknown", pool="b" * 64)
    await first.refused(99)
    await first.close()
    second = await bench.scheduler(epoch=2)
    assert list(second.reports[0].resumed.running) == [1]


async def test_an_earlier_scheduler_is_not_listened_to_by_any_later_pool(lives: Lives) -> None:
    bench = await lives.begin()
    await bench.scheduler(epoch=7)
    await lives.kill()
    bench = await lives.begin()
    late = Scheduler(bench.stub.Assign())
    await late.send()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await late.read()
    assert refused.value.code() is grpc.StatusCode.ABORTED
    await bench.scheduler(epoch=7)


async def test_a_leader_that_was_replaced_starts_and_stops_no_replica(lives: Lives) -> None:
    old = await lives.begin()
    scheduler = await old.scheduler()
    await scheduler.declare(declaration(least=0, most=2))
    await lives.begin()
    await scheduler.place(1, "late")
    await old.until(lambda: bool(lives.failures))
    assert not lives.cluster.started


async def test_replicas_go_on_when_their_pool_is_asked_to_stop(lives: Lives) -> None:
    name = await at_work(lives, 1)
    await lives.benches[-1].service.close()
    assert name in lives.cluster.workers
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await pod.say(ended(1))
    await scheduler.ended(1)


async def test_a_replica_that_drained_drains_on(lives: Lives) -> None:
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(concurrency=2))
    name, pod = await lives.came_up(), lives.pod()
    await pod.hello(f"token of {name}")
    await scheduler.place(1, "action1", is_async=True)
    await pod.order("assign")
    bench.service.reuse_pool.drain_pool("a" * 64)
    await pod.order("drain")
    await lives.noted()
    await lives.kill()
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await pod.order("drain")
    await scheduler.place(2, "next", is_async=True)
    other = await lives.came_up(1)
    assert other != name


async def test_bounds_that_people_gave_outlive_the_service(lives: Lives) -> None:
    bench = await lives.begin()
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await lives.came_up()
    bench.service.reuse_pool.resize_pool("a" * 64, min_replicas=1, max_replicas=5)
    await lives.noted()
    await lives.kill()
    bench = await lives.begin()
    assert bench.service.reuse_pool.get_pool("a" * 64).state.policy.max_replicas == 5


@pytest.mark.parametrize("gone", [False, True])
async def test_secrets_are_resolved_again_before_anything_new_is_given(lives: Lives, gone: bool) -> None:
    name = await at_work(lives, 1, secrets=[SecretRequest(key="password", env_var="PASSWORD")])
    lives.vault.gone = gone
    bench, pod = await lives.begin(), lives.pod()
    await pod.hello(f"token of {name}", running=(1,))
    scheduler = await bench.scheduler()
    await settle(scheduler, 1)
    await scheduler.place(2, "next", is_async=True)
    if gone:
        await pod.order("drain")
    else:
        assert dict((await pod.order("assign")).assign.secret_env) == {"PASSWORD": b"hidden"}
    await pod.say(ended(1))
    await scheduler.ended(1)
