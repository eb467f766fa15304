"""Replicas that are pods: what they are started with, who may speak for them, and what becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.reuse_pool.bench import Scheduler, declaration, ended
from tests.reuse_pool.pods import CONTACT_S, PodBench, pods_bench

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import (
    DeclarePool,
    GetPoolRequest,
    GetPoolResponse,
    Pool,
    PoolOrder,
    ResizePoolRequest,
)
from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass
from flyteapi.scheduler.v1.worker_service_pb2 import DeclareTask
from flyteapi.task.v1.task_spec_pb2 import ImageSpec, PodTemplate, ResourceRequest, SecretRequest
from flyteplane.cluster.ports import ExitReason, WorkerStage
from flyteplane.foundation.errors import InvalidArgument, ResourceExhausted, Unavailable
from flyteplane.reuse_pool.application.ports import SecretValues
from flyteplane.rpc.tokens import DEFAULT_TTL_S, TokenKind

POOL = "a" * 64


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[PodBench]:
    async with pods_bench(tmp_path) as made:
        yield made


def on_pods(*, shape: ResourceClass | None = None, **given: Any) -> DeclarePool:
    """A pool on the cluster of pods."""
    declared = declaration(**given)
    declared.cluster = "prod"
    if shape is not None:
        declared.resource_class.CopyFrom(shape)
    return declared


async def told(bench: PodBench) -> Pool:
    """The pool as people see it."""
    answer: GetPoolResponse = await bench.stub.GetPool(GetPoolRequest(pool=POOL))
    return answer.pool


def wait_for_node(bench: PodBench, name: str) -> None:
    """The replica's pod has no place for longer than the token of its start holds."""
    bench.worker(name).tell(WorkerStage.WAITING, reason="Unschedulable", message="0/3 nodes are available")
    bench.clock.advance(DEFAULT_TTL_S + 1)


async def until_trouble(bench: PodBench, text: str) -> None:
    """The pool says why no replica comes."""
    await bench.until(lambda: any(text in pool.state.trouble for pool in bench.service.reuse_pool.list_pools()))


# --- what is started ------------------------------------------------------------------------------------------------


async def test_a_replica_is_started_as_the_pod_that_class_and_task_ask_for(bench: PodBench) -> None:
    shape = ResourceClass(name="small", node_selector={"disk": "fast"}, tolerations_json='[{"operator": "Exists"}]')
    template = {
        "image": ImageSpec(uri="registry/training:1", env={"LANG": "C"}),
        "resources": ResourceRequest(cpu="1", memory="1Gi"),
        "service_account": "trainer",
        "interruptible": True,
        "pod_template": PodTemplate(name="with-proxy"),
    }
    scheduler = await bench.scheduler()
    declared = on_pods(shape=shape, **template)
    await scheduler.declare(declared)
    name = await bench.replica()
    (spec,) = bench.cluster.started
    assert (spec.name, spec.replica) == (name, True)
    assert spec.labels == {"project": "p", "domain": "d", "environment": "env", "pool": declared.pool}
    assert spec.env == {"LANG": "C"}
    pod = spec.pod
    assert pod is not None
    assert (pod.image.uri, pod.resources.cpu, pod.service_account) == ("registry/training:1", "1", "trainer")
    assert (pod.interruptible, pod.secret_files) == (True, False)
    assert pod.template == PodTemplate(name="with-proxy")
    assert pod.constraints.node_selector == {"disk": "fast"}
    assert pod.constraints.tolerations == [{"operator": "Exists"}]
    assert not bench.local.started


async def test_the_token_of_a_replica_names_it_and_opens_nothing_else(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    claims = bench.verifier.verify(bench.token(name))
    assert (claims.kind, claims.pool, claims.replica) == (TokenKind.REPLICA, POOL, name)
    assert (claims.project, claims.domain, claims.secrets) == ("p", "d", frozenset())


async def test_secrets_go_over_the_stream_and_stand_in_no_spec(tmp_path: Path) -> None:
    class Vault:
        async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
            return SecretValues(env={"TOKEN": b"s3cret"}, files={"/etc/flyte/secrets/k": b"s3cret"})

    async with pods_bench(tmp_path, secrets=Vault()) as bench:
        scheduler = await bench.scheduler()
        await scheduler.declare(on_pods(secrets=[SecretRequest(key="k", mount_path="/etc/flyte/secrets")]))
        name = await bench.replica()
        (spec,) = bench.cluster.started
        assert spec.pod is not None
        assert spec.pod.secret_files
        assert "s3cret" not in str(spec)
        async with bench.pod(bench.token(name)) as pod:
            await scheduler.place(1, "work")
            assert (await pod.order("assign")).assign.secret_env["TOKEN"] == b"s3cret"


async def test_pools_of_several_clusters_live_beside_each_other(bench: PodBench) -> None:
    """One task on two queues has a pool on the cluster of each, and its code in another place on each."""
    scheduler = await bench.scheduler()
    here, there = declaration(pool="c" * 64), on_pods()
    here.bundle_path = "/bundles/code"
    await scheduler.declare(here)
    await scheduler.declare(there)
    known = DeclareTask(digest=b"t" * 32, spec=here.template, bundle_path="/bundles/code")
    await scheduler.send(PoolOrder(declare_task=known))
    async with bench.pod(bench.token(await bench.replica())) as pod:
        await scheduler.place(1, "there")
        assert (await pod.order("declare_task")).declare_task.bundle_path == ""
    await scheduler.place(2, "here", pool="c" * 64)
    replica = await scheduler.placed(2)
    orders = bench.local.workers[replica].received
    assert [o.declare_task.bundle_path for o in orders if o.HasField("declare_task")] == ["/bundles/code"]
    assert not bench.service.reuse_pool.get_pool(POOL).state.superseded


async def test_a_cluster_that_the_pool_does_not_have_is_a_refusal(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    declared = on_pods()
    declared.cluster = "elsewhere"
    await scheduler.declare(declared)
    await scheduler.place(1, "work")
    refused = await scheduler.refused(1)
    assert refused.reason == "UNKNOWN_CLUSTER"
    assert "prod" in refused.message


# --- who may speak --------------------------------------------------------------------------------------------------


async def test_a_replica_executes_attempts_and_its_heartbeats_are_answered(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    async with bench.pod(bench.token(name)) as pod:
        await scheduler.place(1, "work")
        assert (await pod.order("assign")).lease == 1
        await pod.beat(7)
        assert (await pod.order("heartbeat_answer")).heartbeat_answer.sequence == 7
        await pod.say(ended(1))
        await scheduler.ended(1)


async def test_who_does_not_lead_answers_no_heartbeat(bench: PodBench) -> None:
    """The answer would let the replica go on while another leader gives its attempts to others."""
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    async with bench.pod(bench.token(await bench.replica())) as pod:
        bench.leads = False
        await pod.beat(1)
        await scheduler.place(1, "work")
        await pod.order("assign")
        bench.leads = True
        await pod.beat(2)
        assert (await pod.order("heartbeat_answer")).heartbeat_answer.sequence == 2


def _attempt_token(bench: PodBench, name: str) -> str:
    return bench.minter.attempt_token(project="p", domain="d", run="r", action="a0", attempt=1, lease=1)


def _of_another_pool(bench: PodBench, name: str) -> str:
    return bench.minter.replica_token(project="p", domain="d", pool="b" * 64, replica=name)


def _of_another_project(bench: PodBench, name: str) -> str:
    return bench.minter.replica_token(project="other", domain="d", pool=POOL, replica=name)


def _forged(bench: PodBench, name: str) -> str:
    return bench.token(name)[:-4] + "AAAA"


@pytest.mark.parametrize("token", [_attempt_token, _of_another_pool, _of_another_project, _forged, lambda *_: ""])
async def test_a_foreign_token_is_turned_away(bench: PodBench, token: Any) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    async with bench.pod(token(bench, name)) as pod:
        code, details = await pod.refusal()
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert bench.token(name) not in details


async def test_a_replica_that_was_given_up_is_told_to_exit(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    token = bench.token(name)
    async with bench.pod(token) as pod:
        await scheduler.place(1, "work")
        await pod.order("assign")
    for _ in range(int(CONTACT_S) + 6):
        bench.clock.advance(1)
    assert (await scheduler.lost(1)).reason == "REPLICA_LOST"
    async with bench.pod(token, running=(1,)) as pod:
        assert (await pod.refusal())[0] is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_replica_that_lives_for_long_is_given_new_tokens_and_old_ones_are_of_no_use(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    declared = on_pods()
    declared.policy.idle_ttl.FromSeconds(10**6)
    await scheduler.declare(declared)
    name = await bench.replica()
    first = newest = bench.token(name)
    wait_for_node(bench, name)
    given = 0
    async with bench.pod(first) as pod:
        for number in range(1, 400):
            await pod.beat(number)
            await pod.order("heartbeat_answer")
            for renewed in pod.had("token_renewed"):
                newest, given = renewed.token_renewed.token, given + 1
            bench.clock.advance(10)
    claims = bench.verifier.verify(newest)
    assert (claims.kind, claims.replica, claims.secrets) == (TokenKind.REPLICA, name, frozenset())
    assert claims.expires_at - bench.clock.now() >= DEFAULT_TTL_S / 2
    assert given <= 4000 / (DEFAULT_TTL_S / 4) + 1
    async with bench.pod(first) as pod:
        assert (await pod.refusal())[0] is grpc.StatusCode.UNAUTHENTICATED
    async with bench.pod(newest) as pod:
        await scheduler.place(1, "long-after")
        assert (await pod.order("assign")).lease == 1


async def test_an_attempt_that_waits_and_works_for_long_has_a_token_that_holds(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    declared = on_pods()
    declared.policy.idle_ttl.FromSeconds(10**6)
    await scheduler.declare(declared)
    minted = bench.minter.attempt_token(project="p", domain="d", run="r1", action="work", attempt=1, lease=1)
    await scheduler.place(1, "work", token=minted)
    name = await bench.replica()
    wait_for_node(bench, name)
    async with bench.pod(bench.token(name)) as pod:
        token = (await pod.order("assign")).assign.attempt_token
        assert bench.verifier.verify(token).lease == 1
        for number in range(1, 200):
            await pod.beat(number)
            await pod.order("heartbeat_answer")
            for renewed in pod.had("token_renewed"):
                token = renewed.token_renewed.token if renewed.lease == 1 else token
            bench.clock.advance(10)
            bench.verifier.verify(token)
    claims = bench.verifier.verify(token)
    assert (claims.run, claims.action, claims.attempt, claims.lease) == ("r1", "work", 1, 1)
    assert claims.secrets == frozenset()


async def test_an_old_token_of_a_replica_that_is_gone_is_no_token(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    token = bench.token(name)
    bench.worker(name).exit(reason=ExitReason.POD_DELETED)
    await bench.until(lambda: bench.service.reuse_pool.session(name) is None)
    bench.clock.advance(10_000)
    async with bench.pod(token) as pod:
        assert (await pod.refusal())[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_a_new_stream_takes_the_place_of_one_that_hangs(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    token = bench.token(await bench.replica())
    async with bench.pod(token) as hanging, bench.pod(token) as fresh:
        await fresh.beat(1)
        await fresh.order("heartbeat_answer")
        await scheduler.place(1, "work")
        assert (await fresh.order("assign")).lease == 1
        with pytest.raises((EOFError, grpc.aio.AioRpcError)):
            await hanging.order("assign")


# --- clusters that are away or have no room -------------------------------------------------------------------------


async def test_a_cluster_that_cannot_be_asked_delays_the_start_and_fails_nothing(bench: PodBench) -> None:
    bench.cluster.refusal = Unavailable("no route to host")
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    await scheduler.place(1, "work")
    await until_trouble(bench, "no route")
    for _ in range(200):
        bench.clock.advance(15)
        await bench.stub.GetPool(GetPoolRequest(pool=POOL))
    assert "no route" in (await told(bench)).trouble
    assert scheduler.kinds(1) == []
    bench.cluster.refusal = None
    bench.clock.advance(15)
    name = await bench.replica()
    async with bench.pod(bench.token(name)) as pod:
        assert (await pod.order("assign")).lease == 1
        assert (await told(bench)).trouble == ""


async def test_a_pod_may_wait_for_a_place_as_long_as_it_takes(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    await scheduler.place(1, "work")
    worker = bench.worker(await bench.replica())
    worker.tell(WorkerStage.WAITING, reason="Unschedulable", message="0/3 nodes are available")
    bench.clock.advance(3000)
    bench.clock.advance(3000)
    assert "0/3 nodes" in (await told(bench)).trouble
    assert len(bench.cluster.started) == 1
    worker.tell(WorkerStage.STARTING, node="node-7")
    (replica,) = (await told(bench)).replicas
    assert (replica.node, replica.state) == ("node-7", "starting")
    bench.clock.advance(299)
    assert len((await told(bench)).replicas) == 1
    bench.clock.advance(2)
    await bench.until(lambda: worker.exited is not None)


async def test_the_scheduler_is_told_why_replicas_do_not_come_and_when_they_do(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    bench.worker(name).tell(WorkerStage.WAITING, reason="Unschedulable", message="0/3 nodes are available")
    report = await scheduler.until(lambda said: said.HasField("trouble"))
    assert (report.trouble.pool, "0/3 nodes" in report.trouble.message) == (POOL, True)
    successor = await bench.scheduler(epoch=2)
    report = await successor.until(lambda said: said.HasField("trouble"))
    assert "0/3 nodes" in report.trouble.message
    async with bench.pod(bench.token(name)):
        await successor.until(lambda said: said.HasField("trouble") and not said.trouble.message)


async def test_a_pod_that_got_its_place_late_has_its_whole_time_to_start(bench: PodBench) -> None:
    bench.cluster.refusal = Unavailable("no route to host")
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    await scheduler.place(1, "work")
    await until_trouble(bench, "no route")
    bench.clock.advance(5000)
    await told(bench)
    bench.cluster.refusal = None
    bench.clock.advance(15)
    worker = bench.worker(await bench.replica())
    bench.clock.advance(299)
    await told(bench)
    assert worker.exited is None
    bench.clock.advance(2)
    await bench.until(lambda: worker.exited is not None)


async def test_a_quota_of_the_cluster_is_waited_for(bench: PodBench) -> None:
    bench.cluster.refusal = ResourceExhausted("quota of pods")
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    await until_trouble(bench, "quota of pods")
    bench.cluster.refusal = None
    bench.clock.advance(1)
    await bench.replica()


async def test_what_can_never_be_started_refuses_what_waits(bench: PodBench) -> None:
    bench.cluster.refusal = InvalidArgument("no such template", reason="INVALID_POD", field="pod_template")
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods(least=0))
    await scheduler.place(1, "work")
    refused = await scheduler.refused(1)
    assert (refused.reason, refused.retryable) == ("INVALID_POD", False)


# --- how replicas end -----------------------------------------------------------------------------------------------

TAKEN_AWAY = [ExitReason.POD_DELETED, ExitReason.EVICTED, ExitReason.NODE_LOST, ExitReason.PREEMPTED]


@pytest.mark.parametrize("reason", TAKEN_AWAY)
async def test_a_pod_that_is_taken_away_is_charged_to_nobody_and_replaced(bench: PodBench, reason: ExitReason) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    async with bench.pod(bench.token(name)) as pod:
        await scheduler.place(1, "work")
        await pod.order("assign")
        bench.worker(name).exit(code=137, reason=reason, message="the pod was deleted")
        lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit) == (reason.value, False)
    assert await bench.replica(number=1) != name


async def test_what_one_task_wrote_is_not_told_to_another(bench: PodBench) -> None:
    """A cluster quotes the last output of a container, which on a replica is that of any of its tasks."""
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    async with bench.pod(bench.token(name)) as pod:
        await scheduler.place(1, "work")
        await pod.order("assign")
        quoted = "container primary ended with code 3:\nthe diary of another task"
        bench.worker(name).exit(code=3, message=quoted)
        lost = await scheduler.lost(1)
    assert "container primary ended with code 3" in lost.message
    assert "diary" not in lost.message


async def test_a_replica_that_does_not_start_says_why(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    bench.worker(name).exit(code=1, message="container primary ended with code 1:\nNo module named flyte")
    await until_trouble(bench, "No module named flyte")


async def test_an_agent_that_lost_contact_did_not_crash(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    async with bench.pod(bench.token(name)) as pod:
        await scheduler.place(1, "work")
        await pod.order("assign")
        bench.worker(name).exit(code=75)
        lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit) == ("CUT_OFF", False)


async def test_a_task_that_ends_its_pod_is_the_culprit(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods())
    name = await bench.replica()
    async with bench.pod(bench.token(name)) as pod:
        await scheduler.place(1, "work")
        await pod.order("assign")
        bench.worker(name).exit(reason=ExitReason.OUT_OF_DISK, code=137)
        lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit) == ("OUT_OF_DISK", True)


async def test_an_image_that_is_not_there_refuses_for_good(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods(least=0))
    await scheduler.place(1, "work")
    bench.worker(await bench.replica()).exit(reason=ExitReason.IMAGE_NOT_FOUND, message="manifest unknown")
    refused = await scheduler.refused(1)
    assert (refused.reason, refused.retryable) == ("IMAGE_NOT_FOUND", False)
    assert "manifest unknown" in refused.message


# --- for people -----------------------------------------------------------------------------------------------------


async def test_people_see_cluster_and_class_of_a_pool(bench: PodBench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods(shape=ResourceClass(name="small")))
    await bench.replica()
    pool = await told(bench)
    assert (pool.cluster, pool.resource_class) == ("prod", "small")


async def test_a_pool_is_not_resized_beyond_the_quota_of_its_class(bench: PodBench) -> None:
    shape = ResourceClass(name="small", quota_cpu_millis=4000, quota_memory_bytes=16 << 30)
    scheduler = await bench.scheduler()
    await scheduler.declare(on_pods(shape=shape, resources=ResourceRequest(cpu="1", memory="2Gi")))
    await bench.replica()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await bench.stub.ResizePool(ResizePoolRequest(pool=POOL, min_replicas=1, max_replicas=5))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "small" in (refused.value.details() or "")
    resized = await bench.stub.ResizePool(ResizePoolRequest(pool=POOL, min_replicas=1, max_replicas=4))
    assert resized.pool.policy.max_replicas == 4


async def test_a_declaration_that_is_said_again_counts_for_the_replicas_to_come(bench: PodBench) -> None:
    scheduler: Scheduler = await bench.scheduler()
    await scheduler.declare(on_pods(shape=ResourceClass(name="small")))
    name = await bench.replica()
    await scheduler.declare(on_pods(shape=ResourceClass(name="small", node_selector={"zone": "b"})))
    await told(bench)
    async with bench.pod(bench.token(name)) as pod:
        await scheduler.place(1, "work")
        await pod.order("assign")
        bench.worker(name).exit(reason=ExitReason.POD_DELETED)
        await bench.replica(number=1)
    request = bench.cluster.started[1].pod
    assert request is not None
    assert request.constraints.node_selector == {"zone": "b"}
