"""The Kubernetes cluster that the benchmark is given, and a namespace of its own in it.

Both sides are measured in that one namespace: pods that the platform makes, and bare pods of the same image.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.not_here import NotHere

IMAGE_VARIABLE = "FLYTEPLANE_TEST_IMAGE"
HOST_VARIABLE = "FLYTEPLANE_TEST_HOST"
#: The queue whose actions become pods; the benchmark's own parents run as processes.
QUEUE = "pods"
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "128Mi"}}
"""Of all pods; programs ask for the same."""


class PodCluster:
    """Makes the namespace and removes it with all that is in it. Raises NotHere without cluster or image."""

    def __init__(self) -> None:
        self.kubeconfig, self.image = os.environ.get("KUBECONFIG", ""), os.environ.get(IMAGE_VARIABLE, "")
        if not self.kubeconfig or not self.image:
            raise NotHere(
                f"it needs a cluster, named by KUBECONFIG, and the runner's image in it, named by {IMAGE_VARIABLE}"
            )
        self.name = f"flyteplane-bench-{uuid.uuid4().hex[:8]}"
        self._core = self._connect()

    def _connect(self) -> Any:
        import urllib3
        from kubernetes import client, config

        # A kubeconfig that checks no certificate was written so on purpose.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        connect: Any = config.new_client_from_config
        return client.CoreV1Api(connect(self.kubeconfig))

    def __enter__(self) -> Self:
        self._core.create_namespace({"metadata": {"name": self.name}})
        try:
            self._await_service_account()
        except BaseException:
            self._core.delete_namespace(self.name)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._core.delete_namespace(self.name)

    def _await_service_account(self) -> None:
        """No pod is taken before the namespace has it."""
        from kubernetes.watch import Watch

        new_watch: Any = Watch
        watch = new_watch()
        listing = self._core.list_namespaced_service_account
        for _ in watch.stream(listing, self.name, field_selector="metadata.name=default", timeout_seconds=30):
            return
        raise SystemExit(f"namespace {self.name} has no service account after 30 s")

    def operator_file(self, folder: Path, *, worker_port: int, at_a_time: int) -> Path:
        """Writes an operator's file with this cluster beside the machine's own processes."""
        pods = {
            "name": "pods",
            "kind": "kubernetes",
            "kubeconfig": self.kubeconfig,
            "default_image": self.image,
            "worker_endpoints": [f"{self._host()}:{worker_port}"],
            "namespace": self.name,
            "installation": self.name,
        }
        queue = {"name": QUEUE, "clusters": ["pods"], "action_concurrency": at_a_time}
        path = folder / "flyteplane.yaml"
        path.write_text(json.dumps({"clusters": [{"name": "here", "kind": "process"}, pods], "queues": [queue]}))
        return path

    def _host(self) -> str:
        """The address of this machine as pods reach it."""
        if given := os.environ.get(HOST_VARIABLE):
            return given
        nodes = self._core.list_node(limit=1).items
        if not nodes:
            raise NotHere("its cluster has no node")
        node = next(address.address for address in nodes[0].status.addresses if address.type == "InternalIP")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((node, 9))
            return str(probe.getsockname()[0])
