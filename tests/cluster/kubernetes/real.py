"""Pods that do what a test says, on the cluster that KUBECONFIG names."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, PodTemplate, ResourceRequest
from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.connection import Connection
from flyteplane.cluster.kubernetes.creation import BuildPod
from flyteplane.cluster.kubernetes.rate_limiter import RateLimiter
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.cluster.pods import PodSurroundings, build_pod
from flyteplane.cluster.ports import PodRequest, WorkerSpec
from flyteplane.foundation.clock import SystemClock

needs_kubernetes = [
    pytest.mark.kubernetes,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="KUBECONFIG names no cluster"),
]

IMAGE = "python:3.11-slim"


def shell(name: str, script: str, *, template: Mapping[str, Any] | PodTemplate | None = None, **pod: Any) -> WorkerSpec:
    """A worker whose primary container runs a script of the shell; a mapping as template is the spec of a pod."""
    given = template
    if template is not None and not isinstance(template, PodTemplate):
        given = PodTemplate(pod_template_json=json.dumps({"spec": template}))
    base = {"image": ImageSpec(uri=IMAGE), "resources": ResourceRequest(cpu="20m", memory="64Mi"), "template": given}
    labels = {"project": "demo", "domain": "development"}
    return WorkerSpec(name=name, labels=labels, env={"SCRIPT": script}, pod=PodRequest(**{**base, **pod}))


def build_shell(spec: WorkerSpec, surroundings: PodSurroundings, named: Mapping[str, Any] | None) -> dict[str, Any]:
    """The manifest of a worker with the script in the place of the agent."""
    pod = build_pod(spec, surroundings=surroundings, named_template=named)
    for container in pod["spec"]["containers"]:
        if container["name"] == "primary":
            container["command"] = ["sh", "-c", spec.env["SCRIPT"]]
    return pod


@asynccontextmanager
async def real_api() -> AsyncIterator[KubernetesApi]:
    """Requests to the cluster, past the adapter."""
    connection = Connection(kubeconfig=os.environ["KUBECONFIG"], context="")
    await connection.open()
    clock = SystemClock()
    limiter = RateLimiter(per_second=1000, burst=1000, clock=clock)
    yield KubernetesApi(connection, limiter=limiter, timeout_s=30, clock=clock)
    await connection.close()


@asynccontextmanager
async def real_namespace() -> AsyncIterator[str]:
    """A namespace that can run pods; it is deleted at the end with all that is in it."""
    namespace = f"k8sadapter-{uuid4().hex[:8]}"
    async with real_api() as api:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await api.call("POST", "/api/v1/namespaces", body=body)
        try:
            await _account_of(api, namespace)
            yield namespace
        finally:
            await api.call("DELETE", f"/api/v1/namespaces/{namespace}", body={"gracePeriodSeconds": 0})


async def _account_of(api: KubernetesApi, namespace: str) -> None:
    """Waits for the service account without which no pod is taken there."""
    selection = {"watch": "1", "fieldSelector": "metadata.name=default", "timeoutSeconds": "30"}
    async with aclosing(api.stream(f"/api/v1/namespaces/{namespace}/serviceaccounts", parameters=selection)) as lines:
        await anext(lines)


@asynccontextmanager
async def real_cluster(
    namespace: str, *, build: BuildPod = build_shell, **settings: Any
) -> AsyncIterator[KubernetesCluster]:
    """The adapter on a namespace of the real cluster."""
    base = {
        "name": "real",
        "kubeconfig": os.environ["KUBECONFIG"],
        "namespace": namespace,
        "default_image": IMAGE,
        "image_pull_policy": "IfNotPresent",
        "worker_endpoints": ("127.0.0.1:1",),
        "contact_s": 5.0,
        "kill_margin_s": 5.0,
        "request_timeout_s": 30.0,
    }
    cluster = KubernetesCluster(KubernetesSettings(**{**base, **settings}), build=build)
    await cluster.open()
    try:
        yield cluster
    finally:
        await cluster.close()
