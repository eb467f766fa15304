"""What a real API server says when it refuses a pod, on the cluster that KUBECONFIG names; skipped without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.cluster.kubernetes.real import build_shell, needs_kubernetes, real_api, real_cluster, real_namespace, shell
from tests.support.worker_listener import Listener

from flyteapi.task.v1.task_spec_pb2 import PodTemplate
from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.pods import PodSurroundings
from flyteplane.cluster.ports import PodConstraints, WorkerSpec
from flyteplane.foundation.errors import InvalidArgument, NotFound, ResourceExhausted

pytestmark = needs_kubernetes


@pytest_asyncio.fixture
async def namespace() -> AsyncIterator[str]:
    """A namespace of this test's own."""
    async with real_namespace() as namespace:
        yield namespace


@pytest_asyncio.fixture
async def cluster(namespace: str) -> AsyncIterator[KubernetesCluster]:
    """The real cluster."""
    async with real_cluster(namespace) as cluster:
        yield cluster


async def _make(namespace: str, kind: str, body: dict[str, Any]) -> None:
    async with real_api() as api:
        await api.call("POST", f"/api/v1/namespaces/{namespace}/{kind}", body=body)


async def test_a_quota_that_is_used_up_is_told_as_that(cluster: KubernetesCluster, namespace: str) -> None:
    await _make(namespace, "resourcequotas", {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    with pytest.raises(ResourceExhausted, match="exceeded quota") as refused:
        await cluster.start(shell("w", "true"), Listener())
    assert refused.value.retry_after_s


async def test_a_namespace_that_is_not_there_is_named() -> None:
    async with real_cluster("k8sadapter-never-made") as cluster:
        with pytest.raises(NotFound, match="k8sadapter-never-made"):
            await cluster.start(shell("w", "true"), Listener())


async def test_a_template_in_the_cluster_is_used_and_one_that_is_missing_is_named(
    cluster: KubernetesCluster, namespace: str
) -> None:
    container = {"name": "primary", "image": "python:3.11-slim", "env": [{"name": "FROM_TEMPLATE", "value": "42"}]}
    template = {"metadata": {"name": "given"}, "template": {"spec": {"containers": [container]}}}
    await _make(namespace, "podtemplates", template)
    listener = Listener()
    await cluster.start(shell("w", 'exit "$FROM_TEMPLATE"', template=PodTemplate(name="given")), listener)
    assert (await listener.gone(within_s=90)).exit_code == 42
    with pytest.raises(NotFound, match="missing"):
        await cluster.start(shell("v", "true", template=PodTemplate(name="missing")), Listener())


async def test_a_service_account_that_is_not_there_is_named(cluster: KubernetesCluster) -> None:
    constraints = PodConstraints(service_accounts=("robot",))
    with pytest.raises(NotFound, match="robot"):
        await cluster.start(shell("w", "true", service_account="robot", constraints=constraints), Listener())


async def test_what_the_server_calls_invalid_is_quoted(namespace: str) -> None:
    def broken(spec: WorkerSpec, surroundings: PodSurroundings, named: Any) -> dict[str, Any]:
        pod = build_shell(spec, surroundings, named)
        pod["spec"]["containers"][0]["ports"] = [{"containerPort": 99999}]
        return pod

    async with real_cluster(namespace, build=broken) as cluster:
        with pytest.raises(InvalidArgument, match="containerPort") as refused:
            await cluster.start(shell("w", "true"), Listener())
    assert refused.value.reason == "INVALID_POD"
