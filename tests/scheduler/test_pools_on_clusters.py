"""Where pools of reusable tasks are: the cluster and class they get, what is refused, what the reuse pool is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, LikeProcesses, settle, task
from tests.scheduler.placements import Stage
from tests.scheduler.test_pool_stream import FakePool, staged

from flyte.spec.digests import task_digest
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool, LeaseLost, PoolTrouble
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.application.class_admin import ClassAdministration
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.clients.pool_stream import PoolStream
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings

GIB = 2**30


def reusable(*, queue: str = "", cpu: str = "", memory: str = "", most: int = 1, name: str = "env.work") -> TaskSpec:
    """A task with a pool."""
    spec = task(name, reuse=True)
    spec.queue, spec.resources.cpu, spec.resources.memory = queue, cpu, memory
    spec.reuse.max_replicas = most
    return spec


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    room = ClusterCapacity(cpu_millis=4000, memory_bytes=8 * GIB)
    bench.clusters = [LikeProcesses(capacity=room), MemoryCluster(name="prod", outlives_owner=True)]
    bench.pool_clusters = ["local", "prod"]
    await bench.start()
    yield bench
    assert not bench.failures
    await bench.scheduler.close()


async def put_queue(bench: Bench, name: str, *clusters: str) -> None:
    await QueueAdministration(bench.scheduler.administration).put(QueueSettings(name=name, clusters=clusters))


async def put_class(bench: Bench, shape: ResourceClass) -> None:
    await ClassAdministration(bench.scheduler.administration).put(shape)


def site(bench: Bench, run: str = "r1") -> tuple[str, str]:
    """Where an action was placed."""
    state = bench.scheduler.engine.runs[RunKey("project", "domain", run)].actions["a0"].state
    return state.cluster, state.resource_class


async def refused(bench: Bench, spec: TaskSpec) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        await bench.submit(spec, name="refused")
    return caught.value


# --- the choice -----------------------------------------------------------------------------------------------------


async def test_a_pool_is_on_the_first_cluster_of_its_queue_that_can_carry_it(bench: Bench) -> None:
    await put_queue(bench, "pods", "prod")
    await bench.submit(reusable(), name="r1")
    await bench.submit(reusable(queue="pods"), name="r2")
    assert [site(bench, name) for name in ("r1", "r2")] == [("local", "local"), ("prod", "prod")]


async def test_a_pool_is_of_the_smallest_class_that_one_replica_fits(bench: Bench) -> None:
    await put_class(bench, ResourceClass(name="small", max_cpu_millis=1000, max_memory_bytes=GIB, clusters=("prod",)))
    await put_class(
        bench, ResourceClass(name="large", max_cpu_millis=9000, max_memory_bytes=9 * GIB, clusters=("prod",))
    )
    await put_queue(bench, "pods", "prod")
    await bench.submit(reusable(queue="pods", cpu="1", memory="1Gi", most=50), name="r1")
    await bench.submit(reusable(queue="pods", cpu="2"), name="r2")
    assert [site(bench, name)[1] for name in ("r1", "r2")] == ["small", "large"]


async def test_what_one_cluster_is_too_small_for_goes_to_the_next(bench: Bench) -> None:
    await bench.submit(reusable(memory="64Gi"))
    assert site(bench) == ("prod", "prod")


async def test_the_choice_does_not_depend_on_what_is_reachable(bench: Bench) -> None:
    bench.scheduler.cluster_reachable("local", False)
    await bench.submit(reusable())
    assert site(bench)[0] == "local"


async def test_new_classes_count_for_the_next_attempts(bench: Bench) -> None:
    await put_queue(bench, "pods", "prod")
    await bench.submit(reusable(queue="pods"), name="r1")
    await put_class(bench, ResourceClass(name="any", clusters=("prod",)))
    await bench.submit(reusable(queue="pods"), name="r2")
    assert [site(bench, name)[1] for name in ("r1", "r2")] == ["prod", "any"]


async def test_attempts_on_replicas_take_no_room_of_class_and_cluster(bench: Bench) -> None:
    """Their replicas hold it; the attempts come and go on them."""
    await bench.submit(reusable(cpu="3"), name="r1")
    await bench.submit(reusable(cpu="3"), name="r2")
    assert len(bench.workers.placed) == 2
    assert bench.scheduler.admission.class_figures("local").running == 0


# --- refusals -------------------------------------------------------------------------------------------------------


async def test_a_replica_that_fits_no_class_is_refused_at_submit(bench: Bench) -> None:
    await put_queue(bench, "here", "local")
    error = await refused(bench, reusable(queue="here", memory="64Gi"))
    assert (error.reason, error.field) == ("NO_CLASS_FITS", "resources.memory")


async def test_what_no_cluster_of_the_queue_can_carry_is_refused_at_submit(bench: Bench) -> None:
    await put_queue(bench, "here", "local")
    spec = reusable(queue="here")
    spec.service_account = "trainer"
    error = await refused(bench, spec)
    assert (error.reason, error.field) == ("NOT_ON_THIS_CLUSTER", "service_account")


async def test_a_pool_that_could_grow_beyond_the_quota_of_its_class_is_refused_at_submit(bench: Bench) -> None:
    quota = ResourceClass(name="narrow", quota_cpu_millis=4000, quota_memory_bytes=6 * GIB, clusters=("prod",))
    await put_class(bench, quota)
    await put_queue(bench, "pods", "prod")
    error = await refused(bench, reusable(queue="pods", cpu="1", memory="2Gi", most=4))
    assert (error.reason, error.field, error.limit) == ("BEYOND_CLASS_QUOTA", "reusable.replicas", "3 replicas")
    assert error.mend
    await bench.submit(reusable(queue="pods", cpu="1", memory="2Gi", most=3))
    assert site(bench) == ("prod", "narrow")


async def test_a_lowered_quota_sends_nothing_away_that_was_accepted(bench: Bench) -> None:
    await put_queue(bench, "pods", "prod")
    await QueueAdministration(bench.scheduler.administration).put(
        QueueSettings(name="pods", clusters=("prod",), action_concurrency=1)
    )
    await bench.submit(reusable(queue="pods", cpu="1", most=2), name="r1")
    await bench.submit(reusable(queue="pods", cpu="1", most=2), name="r2")
    await put_class(bench, ResourceClass(name="narrow", quota_cpu_millis=1000, clusters=("prod",)))
    await bench.say(bench.workers.placed[0][0], ended={"outputs": {}})
    assert site(bench, "r2") == ("prod", "narrow")
    assert (await refused(bench, reusable(queue="pods", cpu="1", most=2))).reason == "BEYOND_CLASS_QUOTA"


async def test_what_no_cluster_can_carry_any_more_is_not_carried_elsewhere(stage: Stage, pool: FakePool) -> None:
    queues = QueueAdministration(stage.scheduler.administration)
    await queues.put(QueueSettings(name="narrow", action_concurrency=1))
    await stage.submit(reusable(queue="narrow"), name="r2")
    await stage.submit(reusable(queue="narrow"))
    small = ResourceClass(name="small", max_cpu_millis=1, clusters=("prod",))
    await ClassAdministration(stage.scheduler.administration).put(small)
    await stage.scheduler.queries.abort(RunKey("project", "domain", "r2"), "a0", reason="enough")
    await settle()
    assert await stage.error_code() == "NO_REPLICAS_THERE"
    assert len(pool.placed) == 1


async def test_a_child_beyond_the_quota_is_refused_to_its_parent(bench: Bench) -> None:
    await put_class(bench, ResourceClass(name="narrow", quota_cpu_millis=1000, clusters=("prod",)))
    await put_queue(bench, "pods", "prod")
    await bench.submit(task())
    await bench.call("a0", "c1", reusable(queue="pods", cpu="1", most=2))
    (answer,) = [order.result for order in bench.workers.sent[bench.workers.lease_of("a0")] if order.HasField("result")]
    assert answer.error.code == "BEYOND_CLASS_QUOTA"


# --- what the pool is told ------------------------------------------------------------------------------------------

BUNDLE = "b" * 64


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
async def stage(tmp_path: Path, pool: FakePool) -> AsyncIterator[Stage]:
    async with staged(tmp_path, pool, clusters=[MemoryCluster(name="prod", outlives_owner=True)]) as stage:
        yield stage


def declared(pool: FakePool) -> list[DeclarePool]:
    return [order.declare_pool for order in pool.orders if order.HasField("declare_pool")]


def _bundled(spec: TaskSpec) -> TaskSpec:
    spec.entrypoint.bundle_digest = BUNDLE
    return spec


async def test_a_pool_is_declared_with_its_cluster_and_class(stage: Stage, pool: FakePool) -> None:
    classes = ClassAdministration(stage.scheduler.administration)
    await classes.put(ResourceClass(name="fast", clusters=("prod",), node_selector={"disk": "nvme"}))
    await stage.submit(reusable())
    (said,) = declared(pool)
    assert (said.cluster, said.resource_class.name) == ("prod", "fast")
    assert said.resource_class.node_selector == {"disk": "nvme"}


async def test_what_a_worker_here_reads_itself_one_in_a_pod_gets_a_token_for(
    stage: Stage, pool: FakePool, tmp_path: Path
) -> None:
    await stage.submit(_bundled(reusable()))
    (said,) = declared(pool)
    assert said.bundle_path == ""
    assert [order.declare_task.bundle_path for order in pool.orders if order.HasField("declare_task")] == [""]
    assert pool.placed[0].assign.attempt_token == "project/domain/r1/a0/1"
    here = FakePool()
    (tmp_path / "here").mkdir()
    async with staged(tmp_path / "here", here) as local:
        await local.submit(_bundled(reusable()))
        assert declared(here)[0].bundle_path == f"/bundles/{BUNDLE}"
        assert here.placed[0].assign.attempt_token == ""


async def test_each_attempt_has_a_token_of_its_own(stage: Stage, pool: FakePool) -> None:
    spec = reusable()
    spec.retries.count = 1
    await stage.submit(spec)
    await pool.say(lost=LeaseLost(lease=pool.placed[0].lease, reason="REPLICA_LOST"))
    await stage.advance(5)
    assert [place.assign.attempt_token for place in pool.placed] == [
        "project/domain/r1/a0/1",
        "project/domain/r1/a0/2",
    ]


async def test_whoever_asks_is_told_why_the_pool_has_no_replica(stage: Stage, pool: FakePool) -> None:
    await stage.submit(reusable())
    (said,) = declared(pool)
    await pool.say(trouble=PoolTrouble(pool=said.pool, message="Unschedulable: 0/3 nodes are available"))
    explained = await stage.scheduler.queries.explain(RunKey("project", "domain", "r1"), "a0")
    assert (explained.waits_for, explained.cluster) == ("pool", "prod")
    assert "0/3 nodes" in explained.cluster_message
    assert "0/3 nodes" in explained.summary
    await pool.say(trouble=PoolTrouble(pool=said.pool))
    explained = await stage.scheduler.queries.explain(RunKey("project", "domain", "r1"), "a0")
    assert not explained.cluster_message


async def test_pools_are_declared_anew_once_classes_have_changed(stage: Stage, pool: FakePool) -> None:
    classes = ClassAdministration(stage.scheduler.administration)
    await classes.put(ResourceClass(name="any", clusters=("prod",)))
    stream = stage.placements["pool"]
    assert isinstance(stream, PoolStream)
    stage.scheduler.on_reconfigured = stream.redeclare
    await stage.submit(reusable(), name="r1")
    await classes.put(ResourceClass(name="any", clusters=("prod",), node_selector={"zone": "b"}))
    await stage.submit(reusable(), name="r2")
    first, second = declared(pool)
    assert first.pool == second.pool, "the name of the class is part of the identity, and nothing else of it"
    assert second.resource_class.node_selector == {"zone": "b"}


async def test_the_last_attempt_of_an_interruptible_task_is_on_a_pool_that_stays(stage: Stage, pool: FakePool) -> None:
    spec = reusable()
    spec.interruptible, spec.retries.count = True, 1
    await stage.submit(spec)
    crashed = LeaseLost(lease=pool.placed[0].lease, reason="REPLICA_CRASHED", exit_code=1, culprit=True)
    await pool.say(lost=crashed)
    await stage.advance(60)
    first, second = declared(pool)
    assert (first.template.interruptible, second.template.interruptible) == (True, False)
    assert first.pool != second.pool
    assert [place.pool for place in pool.placed] == [first.pool, second.pool]


async def test_runs_with_other_service_accounts_have_other_pools(stage: Stage, pool: FakePool) -> None:
    for name, account in (("r1", "one"), ("r2", "other")):
        spec = reusable()
        settings = RunSettings(service_account=account)
        await stage.scheduler.intake.accept_run(
            NewRun(
                key=RunKey("project", "domain", name),
                digest=task_digest(spec),
                task=spec,
                inputs=b"",
                inputs_digest=b"",
                settings=settings,
            )
        )
        await settle()
    assert [said.template.service_account for said in declared(pool)] == ["one", "other"]
    assert len({said.pool for said in declared(pool)}) == 2


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("EVICTED", "WORKER_EVICTED"),
        ("POD_DELETED", "POD_DELETED"),
        ("CUT_OFF", "CONTACT_LOST"),
        ("NODE_LOST", "NODE_LOST"),
    ],
)
async def test_what_takes_a_replica_away_has_the_code_that_it_has_for_any_pod(
    stage: Stage, pool: FakePool, reason: str, code: str
) -> None:
    await stage.submit(reusable())
    await pool.say(lost=LeaseLost(lease=pool.placed[0].lease, reason=reason))
    state = stage.state()
    assert (state.task_failures, state.system_failures) == (0, 1)
    failure = state.history[0].failure
    assert failure is not None
    assert failure.code == code
