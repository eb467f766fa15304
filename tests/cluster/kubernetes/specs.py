"""Workers and pods for the tests of the Kubernetes adapter."""

from __future__ import annotations

from typing import Any

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, ResourceRequest
from flyteplane.cluster.ports import PodRequest, WorkerSpec


def worker(name: str = "w", **fields: Any) -> WorkerSpec:
    """A worker that may become a pod."""
    request = fields.pop("pod", None) or PodRequest(image=ImageSpec(), resources=ResourceRequest())
    labels = {"project": "demo", "domain": "development"}
    return WorkerSpec(name=name, labels=labels, token="t", pod=request, **fields)


def pod(*, node: str = "node-1", deleted_at: str = "", grace: int = 30, **status: Any) -> dict[str, Any]:
    """A pod with a primary container and a sidecar, as the API server writes it."""
    metadata: dict[str, Any] = {
        "name": "w-1",
        "namespace": "flyte",
        "uid": "u1",
        "annotations": {"flyteplane.dev/primary-container": "main"},
    }
    if deleted_at:
        metadata |= {"deletionTimestamp": deleted_at, "deletionGracePeriodSeconds": grace}
    containers = [{"name": "proxy"}, {"name": "main"}]
    return {"metadata": metadata, "spec": {"nodeName": node, "containers": containers}, "status": status}


def ended(name: str, code: int, **terminated: Any) -> dict[str, Any]:
    """The status of a container that has ended."""
    return {"name": name, "state": {"terminated": {"exitCode": code, **terminated}}}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    """The status of a container that waits."""
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}


def running(name: str) -> dict[str, Any]:
    """The status of a container that runs."""
    return {"name": name, "state": {"running": {}}}
