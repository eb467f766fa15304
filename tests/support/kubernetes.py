"""The Kubernetes cluster that KUBECONFIG names, as tests of whole platforms use it.

Everything a test makes there carries a random name of its own: the namespaces begin with it, and the pods are labelled
with it as their installation. So tests leave other people's work alone, and what they leave behind themselves is found.
Changes are watched, not asked for again and again.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.watch import Watch

#: Where a run of the tests' own project lives, behind the name.
SCOPE: Final = "flytesnacks-development"
IMAGE_VARIABLE: Final = "FLYTEPLANE_TEST_IMAGE"
HOST_VARIABLE: Final = "FLYTEPLANE_TEST_HOST"
_INSTALLATION: Final = "flyteplane.dev/installation"
_RUN: Final = "flyteplane.dev/run"


def require_kubernetes() -> None:
    """Skips the test unless there is a cluster and an image of the runner in it."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    if not os.environ.get(IMAGE_VARIABLE):
        pytest.skip(f"{IMAGE_VARIABLE} names no image of the runner that the cluster can start")


class KubernetesUnderTest:
    """One cluster, under a name of the test's own."""

    def __init__(self) -> None:
        self.name = f"system-test-{uuid4().hex[:8]}"
        self.namespace = f"{self.name}-{SCOPE}"
        self.image = os.environ[IMAGE_VARIABLE]
        self.kubeconfig = Path(os.environ["KUBECONFIG"])
        # What is typed of the client is generated, with every field optional: of no help here.
        connect: Any = config.new_client_from_config
        self._api = connect(str(self.kubeconfig))
        self.core: Any = client.CoreV1Api(self._api)
        self.admission: Any = client.AdmissionregistrationV1Api(self._api)
        self.host = os.environ.get(HOST_VARIABLE) or self._own_address()

    def _own_address(self) -> str:
        """The address of this machine on the way to the first node."""
        node = self.core.list_node(limit=1).items[0]
        address = next(each.address for each in node.status.addresses if each.type == "InternalIP")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return str(probe.getsockname()[0])

    def section(self, *, worker_port: int, **changes: Any) -> dict[str, Any]:
        """The cluster's entry in an operator's file."""
        return {
            "name": "pods",
            "kind": "kubernetes",
            "kubeconfig": str(self.kubeconfig),
            "default_image": self.image,
            "worker_endpoints": [f"{self.host}:{worker_port}"],
            "namespace": self.name + "-{project}-{domain}",
            "create_namespaces": True,
            "installation": self.name,
            **changes,
        }

    def pods(self, run: str = "") -> list[Any]:
        """The pods of the platform, or of one run of it."""
        return list(self.core.list_pod_for_all_namespaces(label_selector=self._selector(run)).items)

    def pod_of(self, run: str, action: str = "a0") -> Any:
        """The pod of one action's latest attempt that is there."""
        pods = [pod for pod in self.pods(run) if pod.metadata.labels["flyteplane.dev/action"] == action]
        assert pods, f"no pod of {run}/{action}"
        return max(pods, key=lambda pod: int(pod.metadata.labels["flyteplane.dev/attempt"]))

    def _selector(self, run: str) -> str:
        return f"{_INSTALLATION}={self.name}" + (f",{_RUN}={run}" if run else "")

    def await_pods(self, wanted: Callable[[list[Any]], bool], *, run: str = "", within_s: float = 60.0) -> list[Any]:
        """Returns the pods once they are as wanted. Fails when they do not come to be so in time."""
        deadline = time.monotonic() + within_s
        while True:
            listed = self.core.list_pod_for_all_namespaces(label_selector=self._selector(run))
            pods = {pod.metadata.uid: pod for pod in listed.items}
            if wanted(list(pods.values())):
                return list(pods.values())
            left = deadline - time.monotonic()
            assert left > 0, f"after {within_s:g} s there are {self._describe(pods.values())}"
            if self._follow(pods, listed.metadata.resource_version, wanted, run=run, within_s=left):
                return list(pods.values())

    def _follow(
        self,
        pods: dict[str, Any],
        version: str,
        wanted: Callable[[list[Any]], bool],
        *,
        run: str,
        within_s: float,
    ) -> bool:
        """Keeps the table up to date until it is as wanted; False if the watch ended before."""
        for event in changes(
            self.core.list_pod_for_all_namespaces,
            label_selector=self._selector(run),
            resource_version=version,
            timeout_seconds=max(1, round(within_s)),
        ):
            pod = event["object"]
            if event["type"] == "DELETED":
                pods.pop(pod.metadata.uid, None)
            else:
                pods[pod.metadata.uid] = pod
            if wanted(list(pods.values())):
                return True
        return False

    @staticmethod
    def _describe(pods: Any) -> str:
        return ", ".join(f"{pod.metadata.name} ({pod.status.phase})" for pod in pods) or "no pods"

    def await_no_pods(self, *, run: str = "", within_s: float = 30.0) -> float:
        """Returns once no pod is left, and the seconds that took."""
        began = time.monotonic()
        self.await_pods(lambda pods: not pods, run=run, within_s=within_s)
        return time.monotonic() - began

    def delete_pod(self, pod: Any) -> None:
        """Deletes a pod as somebody at a terminal would who is in a hurry."""
        self.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=1)

    def text_of(self, *kinds: str) -> str:
        """Everything of some kinds that lies in the platform's namespace, as the API server shows it."""
        listings = (getattr(self.core, f"list_namespaced_{kind}") for kind in kinds)
        return "\n".join(str(listing(self.namespace, _preload_content=False).data) for listing in listings)

    def make_namespace(self) -> None:
        """Makes the platform's namespace ahead of it, for what has to lie in it; returns once it can have pods."""
        body = {"metadata": {"name": self.namespace}}
        try:
            self.core.create_namespace(body)
        except ApiException as error:
            if error.status != 409:
                raise
        listing = self.core.list_namespaced_service_account
        for _ in changes(listing, self.namespace, field_selector="metadata.name=default", timeout_seconds=30):
            return
        raise AssertionError(f"{self.namespace} has no service account after 30 s")

    def remove_namespaces(self) -> None:
        """Removes every namespace of this name, and what is in it; that it goes is not waited for."""
        for namespace in self.core.list_namespace().items:
            if namespace.metadata.name.startswith(f"{self.name}-"):
                self.core.delete_namespace(namespace.metadata.name)

    def close(self) -> None:
        """Leaves nothing behind."""
        self.remove_namespaces()
        self._api.close()


def changes(listing: Any, *arguments: Any, **parameters: Any) -> Iterator[Any]:
    """What there is in a listing of the client and what becomes of it, until the watch's time is over."""
    watch: Any = Watch
    watching = watch()
    try:
        yield from watching.stream(listing, *arguments, **parameters)
    finally:
        watching.stop()


@contextmanager
def kubernetes_under_test() -> Iterator[KubernetesUnderTest]:
    """The cluster; skips the test if there is none. What was made there is removed at the end."""
    require_kubernetes()
    cluster = KubernetesUnderTest()
    try:
        yield cluster
    finally:
        cluster.close()


def operator_file(folder: Path, content: Mapping[str, Any]) -> Path:
    """Writes an operator's file, and returns its path."""
    path = folder / "flyteplane.yaml"
    path.write_text(json.dumps(content))
    return path
