"""Queues, classes and clusters through the whole scheduler: what is accepted, what runs, and what is said of others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench, LikeProcesses, settle, task

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.memory import MemoryCluster
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from flyteplane.scheduler.application.class_admin import ClassAdministration
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.application.queue_admin import QueueAdministration
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings


def on(queue: str, name: str = "env.work", **options: int) -> TaskSpec:
    """A task of a queue."""
    spec = task(name, **options)  # type: ignore[arg-type]
    spec.queue = queue
    return spec


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    bench.clusters = [LikeProcesses(), MemoryCluster(name="prod", outlives_owner=True)]
    await bench.start()
    yield bench
    assert not bench.failures
    await bench.scheduler.close()


def queues(bench: Bench) -> QueueAdministration:
    return QueueAdministration(bench.scheduler.administration)


def classes(bench: Bench) -> ClassAdministration:
    return ClassAdministration(bench.scheduler.administration)


def placed(bench: Bench) -> list[str]:
    return [f"{action.run.key.name}/{action.name}" for _, action in bench.workers.placed]


async def test_a_limit_of_actions_holds_and_a_waiting_parent_does_not_count(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="narrow", action_concurrency=1))
    await bench.submit(on("narrow"))
    await bench.call("a0", "c1", on("narrow", "env.child"), number=1)
    await bench.call("a0", "c2", on("narrow", "env.child"), number=2)
    assert placed(bench) == ["r1/a0", "r1/c1"], "the parent lends its slot, and there is one"
    explained = await bench.scheduler.queries.explain(RunKey("project", "domain", "r1"), "c2")
    assert (explained.waits_for, explained.queue) == ("queue", "narrow")
    assert "1 of at most 1" in explained.summary
    await bench.succeed("c1")
    await bench.succeed("c2")
    await bench.succeed("a0")
    assert queues(bench).get("narrow").running == 0


async def test_a_limit_of_runs_lets_one_run_after_the_other_through(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="single", run_concurrency=1))
    await bench.submit(on("single"), name="r1")
    await bench.submit(on("single"), name="r2")
    assert placed(bench) == ["r1/a0"]
    await bench.succeed("a0")
    assert placed(bench) == ["r1/a0", "r2/a0"]


async def test_a_full_queue_refuses_a_run_at_once_and_says_when_to_come_back(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="short", depth=1))
    await bench.submit(on("short"))
    with pytest.raises(ResourceExhausted) as refused:
        await bench.submit(on("short"), name="r2")
    assert refused.value.reason == "QUEUE_FULL"
    assert refused.value.retry_after_s
    assert RunKey("project", "domain", "r2") not in bench.scheduler.engine.runs


async def test_a_full_queue_refuses_a_child_and_says_when_to_come_back(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="short", depth=1))
    await bench.submit(task())
    await bench.call("a0", "c1", on("short", "env.child"), number=1)
    lease = await bench.call("a0", "c2", on("short", "env.child"), number=2)
    (refused,) = (order.result for order in bench.workers.sent[lease] if order.HasField("result"))
    assert refused.error.code == "QUEUE_FULL"
    assert refused.retry_after.ToTimedelta().total_seconds() > 0
    assert "c2" not in bench.scheduler.engine.runs[RunKey("project", "domain", "r1")].actions


@pytest.mark.parametrize("queue", ["nowhere", "Bad Name"])
async def test_an_unknown_queue_is_refused_with_the_list_of_queues(bench: Bench, queue: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await bench.submit(task(), settings=RunSettings(queue=queue))
    assert not bench.scheduler.engine.runs
    assert "default" in refused.value.public_text


async def test_a_draining_queue_refuses_new_runs_and_lets_what_is_in_flight_end(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="old"))
    await bench.submit(on("old"))
    await queues(bench).drain("old")
    with pytest.raises(FailedPrecondition):
        await bench.submit(on("old"), name="r2")
    await bench.call("a0", "c1", on("old", "env.child"))
    assert placed(bench) == ["r1/a0", "r1/c1"]
    await bench.succeed("c1")
    await bench.succeed("a0")
    assert queues(bench).get("old").state == "drained"
    await queues(bench).delete("old")
    with pytest.raises(InvalidArgument):
        await bench.submit(on("old"), name="r3")


async def test_priority_orders_queues_and_ends_nothing(bench: Bench) -> None:
    bench.clusters = [LikeProcesses(cpu_millis=250)]
    await bench.start()
    await queues(bench).put(QueueSettings(name="low", priority=0))
    await queues(bench).put(QueueSettings(name="high", priority=1000))
    for name in ("r1", "r2"):
        await bench.submit(on("low"), name=name)
    await bench.submit(on("high"), name="r3")
    assert placed(bench) == ["r1/a0"]
    await bench.succeed("a0")
    assert placed(bench) == ["r1/a0", "r3/a0"]


async def test_a_queue_is_bound_to_its_clusters(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="pods", clusters=("prod",)))
    await queues(bench).put(QueueSettings(name="here", clusters=("local",)))
    for number, queue in enumerate(("pods", "here")):
        await bench.submit(on(queue), name=f"r{number}")
    clusters = {action.run.key.name: action.state.cluster for _, action in bench.workers.placed}
    assert clusters == {"r0": "prod", "r1": "local"}


async def test_a_task_that_one_cluster_cannot_carry_out_goes_to_the_other(bench: Bench) -> None:
    for name in ("local", "prod"):
        await classes(bench).put(ResourceClass(name=f"all-{name}", clusters=("local", "prod")))
    spec = task()
    spec.pod_template.pod_template_json = json.dumps({"spec": {"containers": [{"name": "primary"}]}})
    await bench.submit(spec)
    assert bench.workers.placed[-1][1].state.cluster == "prod"


async def test_a_quota_of_a_class_is_kept_and_explained(bench: Bench) -> None:
    shape = ResourceClass(name="small", max_cpu_millis=1000, quota_cpu_millis=1000, clusters=("local",))
    await classes(bench).put(shape)
    spec = task("env.child")
    spec.resources.cpu = "600m"
    for number in (1, 2):
        await bench.submit(spec, name=f"r{number}")
    assert placed(bench) == ["r1/a0"]
    explained = await bench.scheduler.queries.explain(RunKey("project", "domain", "r2"), "a0")
    assert (explained.waits_for, explained.resource_class) == ("class", "small")
    assert "quota" in explained.summary
    await classes(bench).put(ResourceClass(name="small", max_cpu_millis=1000, clusters=("local",)))
    await settle()
    assert placed(bench) == ["r1/a0", "r2/a0"], "a raised quota lets it go at once"


async def test_a_task_that_fits_no_class_is_refused_with_the_list_of_classes(bench: Bench) -> None:
    for cluster in ("local", "prod"):
        await classes(bench).put(ResourceClass(name=f"tiny-{cluster}", max_memory_bytes=2**28, clusters=(cluster,)))
    spec = task()
    spec.resources.memory = "1Gi"
    with pytest.raises(InvalidArgument) as refused:
        await bench.submit(spec)
    assert refused.value.reason == "NO_CLASS_FITS"
    assert "tiny-local" in refused.value.public_text


async def test_the_sidecars_of_a_template_count(bench: Bench) -> None:
    await classes(bench).put(ResourceClass(name="one", max_cpu_millis=1000, clusters=("prod",)))
    spec = on("default")
    spec.resources.cpu = "500m"
    containers = [{"name": "primary"}, {"name": "side", "image": "x:1", "resources": {"requests": {"cpu": "1"}}}]
    spec.pod_template.pod_template_json = json.dumps({"spec": {"containers": containers}})
    with pytest.raises(InvalidArgument):
        await bench.submit(spec)


async def test_queues_and_what_waits_in_them_survive_a_restart(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="narrow", action_concurrency=1))
    await bench.submit(on("narrow"), name="r1")
    await bench.submit(on("narrow"), name="r2")
    await bench.start()
    view = queues(bench).get("narrow")
    assert (view.running, view.waiting) == (1, 1)
    assert placed(bench) == ["r1/a0"]
    await bench.succeed("a0")
    assert placed(bench) == ["r1/a0", "r2/a0"]


async def test_an_aborted_action_leaves_the_queue(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="narrow", action_concurrency=1))
    await bench.submit(on("narrow"), name="r1")
    await bench.submit(on("narrow"), name="r2")
    await bench.scheduler.queries.abort(RunKey("project", "domain", "r2"), "a0", reason="enough")
    assert queues(bench).get("narrow").waiting == 0
    assert await bench.phase(RunKey("project", "domain", "r2")) is Phase.ABORTED


async def test_a_cluster_that_cannot_be_reached_gets_nothing_new(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="pods", clusters=("prod",)))
    bench.scheduler.cluster_reachable("prod", False)
    await bench.submit(on("pods"))
    assert placed(bench) == []
    explained = await bench.scheduler.queries.explain(RunKey("project", "domain", "r1"), "a0")
    assert explained.waits_for == "cluster"
    assert "cannot be reached" in explained.summary
    bench.scheduler.cluster_reachable("prod", True)
    await settle()
    assert placed(bench) == ["r1/a0"]


async def test_the_queue_of_the_task_goes_before_that_of_the_run(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="own"))
    await queues(bench).put(QueueSettings(name="runs"))
    await bench.submit(on("own"), name="r1", settings=RunSettings(queue="runs"))
    await bench.submit(task(), name="r2", settings=RunSettings(queue="runs"))
    by_run = {action.run.key.name: action.queue for _, action in bench.workers.placed}
    assert by_run == {"r1": "own", "r2": "runs"}


async def test_a_reusable_task_is_refused_where_there_are_no_replicas(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="pods", clusters=("prod",)))
    spec = task(reuse=True)
    spec.queue = "pods"
    with pytest.raises(InvalidArgument) as refused:
        await bench.submit(spec)
    assert refused.value.reason == "NO_REPLICAS_THERE"
    spec.queue = "default"
    await bench.submit(spec)
    assert placed(bench) == ["r1/a0"]


async def test_whoever_gets_a_slot_first_computes_for_all_that_asked_for_the_same(bench: Bench) -> None:
    """The one that asked first waits for a run's seat that the other's run holds: it must not hold that one up."""
    await queues(bench).put(QueueSettings(name="single", run_concurrency=1))
    shared = task("env.shared", cached=True)
    shared.queue, shared.cache.serialize = "single", True
    await bench.submit(task(), name="r0")
    await bench.call("a0", "c0", shared)
    await bench.succeed("c0", b"first")
    await bench.succeed("a0")
    bench.cache.entries.clear()

    await bench.submit(on("single"), name="r1")
    holder = bench.workers.lease_of("a0")
    await bench.submit(task(), name="r2")
    await bench.call("a0", "c2", shared)
    assert placed(bench)[-1] == "r2/a0", "the only seat is that of r1"
    digest = task_digest(shared)
    await bench.say(holder, declare_task={"digest": digest, "spec": shared})
    await bench.say(holder, submit={"call": 1, "name": "c1", "task_digest": digest, "inputs_digest": b"i" * 32})
    assert placed(bench)[-1] == "r1/c1"
    await bench.succeed("c1", b"second")
    child = bench.scheduler.engine.runs[RunKey("project", "domain", "r2")].actions["c2"]
    assert child.state.phase is Phase.SUCCEEDED
    assert placed(bench)[-1] == "r1/c1", "it was computed once"


async def test_a_queue_full_of_waiting_parents_still_takes_their_children(bench: Bench) -> None:
    await queues(bench).put(QueueSettings(name="short", depth=1))
    await bench.submit(on("short"))
    for depth in range(1, 4):
        parent = "a0" if depth == 1 else f"c{depth - 1}"
        await bench.call(parent, f"c{depth}", on("short", "env.child"))
        assert placed(bench)[-1] == f"r1/c{depth}"
    with pytest.raises(ResourceExhausted):
        await bench.submit(on("short"), name="r2")
