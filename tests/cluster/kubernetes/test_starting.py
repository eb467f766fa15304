"""How pods are created, and what is said when they are not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.cluster.kubernetes.conftest import OpenCluster
from tests.cluster.kubernetes.specs import worker
from tests.support.fake_kubernetes import FakeKubernetes, until
from tests.support.worker_listener import Listener

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, PodTemplate, ResourceRequest
from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.pods.names import pod_name
from flyteplane.cluster.ports import PodRequest, WorkerSpec
from flyteplane.foundation.errors import InvalidArgument, NotFound, PlatformError, ResourceExhausted, Unavailable


async def test_a_worker_becomes_a_pod_with_its_marks(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    await cluster.start(worker("run/a0/1"), Listener())
    metadata = server.pod(pod_name("run/a0/1"))["metadata"]
    assert metadata["namespace"] == "flyte"
    assert metadata["labels"]["flyteplane.dev/installation"] == "flyteplane"
    assert metadata["annotations"]["flyteplane.dev/worker"] == "run/a0/1"


async def test_a_pod_that_is_there_already_is_adopted(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    first, second = await open_cluster(), await open_cluster()
    await first.start(worker(), Listener())
    listener = Listener()
    await second.start(worker(), listener)
    server.finish("w", code=3)
    assert (await listener.gone()).exit_code == 3


async def test_a_creation_whose_answer_was_lost_is_found_by_the_next(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    server.fault("POST", "/pods", hang_up=True, after=True)
    listener = Listener()
    with pytest.raises(Unavailable):
        await cluster.start(worker(), listener)
    await cluster.start(worker(), listener)
    server.run("w")
    server.finish("w")
    assert (await listener.gone()).exit_code == 0


async def test_a_foreign_pod_of_the_name_is_left_alone(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    other = await open_cluster(installation="other")
    await other.start(worker(), Listener())
    cluster = await open_cluster()
    with pytest.raises(InvalidArgument, match="is not this worker's") as refused:
        await cluster.start(worker(), Listener())
    assert refused.value.reason == "POD_NAME_TAKEN"
    assert server.pod("w")


async def test_one_name_started_twice_at_once_is_one_pod(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    server.fault("POST", "/pods", delay_s=0.1)
    first, second = Listener(), Listener()
    await asyncio.gather(cluster.start(worker(), first), cluster.start(worker(), second))
    server.finish("w")
    await second.gone()
    assert (server.count("POST", "/pods"), first.exits) == (1, [])


WEBHOOK = 'admission webhook "policy.example.com" denied the request: no cats'


@pytest.mark.parametrize(
    ("fault", "kind", "reason", "says"),
    [
        ({"status": 422, "message": "spec.x: Invalid value"}, InvalidArgument, "INVALID_POD", "spec.x: Invalid value"),
        ({"status": 400, "message": WEBHOOK}, InvalidArgument, "WEBHOOK_DENIED", "no cats"),
        ({"status": 403, "message": WEBHOOK}, InvalidArgument, "WEBHOOK_DENIED", "policy.example.com"),
        ({"status": 403, "message": "pods is forbidden: exceeded quota: q"}, ResourceExhausted, "QUOTA_EXCEEDED", "q"),
        ({"status": 403, "message": 'violates PodSecurity "restricted"'}, InvalidArgument, "POD_FORBIDDEN", "violates"),
        ({"status": 403, "message": "cannot create resource pods"}, Unavailable, "CLUSTER_FORBIDS", "right to create"),
        ({"status": 403, "message": 'serviceaccount "x" not found'}, NotFound, "SERVICE_ACCOUNT_NOT_FOUND", "x"),
        ({"status": 403, "message": 'serviceaccount "default" not found'}, Unavailable, "NAMESPACE_NOT_READY", ""),
        ({"status": 404, "message": "namespaces not found"}, NotFound, "NAMESPACE_NOT_FOUND", "kubectl create"),
        ({"status": 409, "reason": "Conflict", "message": "quotas"}, Unavailable, "CLUSTER_CONFLICT", "quotas"),
        ({"status": 500, "message": 'failed calling webhook "w": timeout'}, Unavailable, "CLUSTER_UNREACHABLE", "w"),
        ({"status": 503, "message": "apiserver not ready"}, Unavailable, "CLUSTER_UNREACHABLE", "not ready"),
        ({"status": 429, "message": "too many", "retry_after": "1"}, Unavailable, "CLUSTER_UNREACHABLE", "too many"),
        ({"hang_up": True}, Unavailable, "CLUSTER_UNREACHABLE", "127.0.0.1"),
    ],
)
async def test_refusals_say_whether_to_try_again(
    cluster: KubernetesCluster,
    server: FakeKubernetes,
    fault: dict[str, Any],
    kind: type[PlatformError],
    reason: str,
    says: str,
) -> None:
    server.fault("POST", "/pods", **fault)
    with pytest.raises(kind) as refused:
        await cluster.start(worker(), Listener())
    assert refused.value.reason == reason
    assert says in str(refused.value)
    assert len(str(refused.value)) < 3000


async def test_a_slow_server_is_given_up_in_time(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    cluster = await open_cluster(request_timeout_s=1.5)
    server.fault("POST", "/pods", delay_s=60.0)
    with pytest.raises(Unavailable, match="no answer within"):
        await cluster.start(worker(), Listener())


async def test_long_words_of_a_webhook_are_shortened(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    server.fault("POST", "/pods", status=400, message=WEBHOOK + "!" * 100_000)
    with pytest.raises(InvalidArgument) as refused:
        await cluster.start(worker(), Listener())
    assert len(refused.value.message) < 3000


async def test_a_missing_namespace_is_created_only_if_that_was_wanted(
    open_cluster: OpenCluster, server: FakeKubernetes
) -> None:
    template = "{project}-{domain}"
    cluster = await open_cluster(namespace=template)
    with pytest.raises(NotFound, match="demo-development"):
        await cluster.start(worker(), Listener())
    creating = await open_cluster(namespace=template, create_namespaces=True)
    listener = Listener()
    await creating.start(worker(), listener)
    server.finish("w")
    await listener.gone()
    assert server.objects["namespaces"][("", "demo-development")]


def _named(name: str) -> WorkerSpec:
    template = PodTemplate(name=name, primary_container="main")
    return worker(pod=PodRequest(image=ImageSpec(), resources=ResourceRequest(), template=template))


async def test_a_named_template_is_read_from_the_cluster(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    containers = [{"name": "main", "image": "x"}, {"name": "proxy", "image": "envoy:1"}]
    stored = {"metadata": {"name": "gpu", "namespace": "flyte"}, "template": {"spec": {"containers": containers}}}
    server.objects["podtemplates"]["flyte", "gpu"] = stored
    await cluster.start(_named("gpu"), Listener())
    assert [each["name"] for each in server.pod("w")["spec"]["containers"]] == ["main", "proxy"]


async def test_a_template_that_is_not_there_is_named(cluster: KubernetesCluster) -> None:
    with pytest.raises(NotFound, match="has no PodTemplate nope in namespace flyte"):
        await cluster.start(_named("nope"), Listener())


async def test_a_closed_cluster_starts_nothing_and_leaves_its_pods(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = Listener()
    await cluster.start(worker(), listener)
    await cluster.close()
    with pytest.raises(Unavailable):
        await cluster.start(worker("late"), Listener())
    assert server.pod("w")
    assert (listener.exits, server.deletions) == ([], [])


async def test_requests_wait_when_the_server_says_when_to_come_again(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    server.fault("POST", "/pods", status=429, retry_after="1")
    with pytest.raises(Unavailable) as refused:
        await cluster.start(worker(), Listener())
    assert refused.value.retry_after_s == 1
    loop = asyncio.get_running_loop()
    began = loop.time()
    await cluster.start(worker(), Listener())
    assert loop.time() - began > 0.8
    await until(lambda: server.pod("w"))
