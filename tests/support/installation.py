"""The platform in a cluster, as the test overlay installs it: five services of two processes each, and their stores.

    with installed(tmp_path, repository) as installation:
        installation.connect(root_dir=PROGRAMS)
        flyte.run(...)
        installation.roll()

It lives in the namespaces that its manifests name. A cluster in which these are somebody else's is left alone, and what
an earlier run of tests has left there is removed first.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from deploy.kubernetes.make_secrets import main as make_secrets
from kubernetes import client, config
from tests.support.cuttable_network import CuttableNetwork
from tests.support.kubernetes import changes
from tests.support.platform import FLYTE

import flyte
from flyte.client.init import set_settings
from flyteplane.coordination import EtcdCoordination, EtcdSettings
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.clock import SystemClock

NAMESPACE: Final = "flyteplane"
WORKERS: Final = "flyteplane-workers"
SERVICES: Final = ("admin", "cache", "reuse-pool", "scheduler", "secrets")
#: Set where the cluster has the images that the overlay names: flyteplane/services:ci, /stores:ci and /runner:ci.
IMAGES_VARIABLE: Final = "FLYTEPLANE_TEST_INSTALLATION"
_TEST_LABEL: Final = "flyteplane.dev/test"
_PLATFORM: Final = "app.kubernetes.io/part-of=flyteplane"
#: Fixed by the test overlay.
_ADDRESS: Final = "10.96.77.7"
_PASSWORD: Final = "only-for-tests"


class Installation:
    """An installation; not there yet. `folder` is for keys and certificates."""

    def __init__(self, folder: Path, *, overlay: Path) -> None:
        self._secrets = folder / "secrets"
        self._overlay = overlay
        self.endpoint = f"https://{_ADDRESS}:7000"
        # What is typed of the client is generated, with every field optional: of no help here.
        connect: Any = config.new_client_from_config
        self._core: Any = client.CoreV1Api(connect())

    @property
    def api_key(self) -> str:
        """The operator's own key, an admin everywhere."""
        return (self._secrets / "bootstrap/api-key").read_text().strip()

    @property
    def authority(self) -> Path:
        """By which clients judge the endpoint."""
        return self._secrets / "authority/ca.crt"

    def values(self) -> dict[str, bytes]:
        """The keys that the installation has, by name: they may stand in Secrets of Kubernetes and nowhere else."""
        names = ("bootstrap/api-key", "keys/tokens.key", "secrets-key/current")
        return {name: (self._secrets / name).read_bytes().strip() for name in names}

    # --- coming and going ---------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Puts everything there, as docs/operating.md says; returns when all processes are ready."""
        self._remove_earlier()
        given = self._secrets.parent
        for name in ("database", "objects"):
            (given / name).write_text(_PASSWORD)
        make_secrets(
            [
                *(str(self._secrets), "--edge", _ADDRESS, "--database-password-file", str(given / "database")),
                *("--objects-access-key-file", str(given / "objects")),
                *("--objects-secret-key-file", str(given / "objects")),
            ]
        )
        self.kubectl("create", "namespace", NAMESPACE)
        self.kubectl("label", "namespace", NAMESPACE, f"{_TEST_LABEL}=true")
        self.kubectl("apply", "-k", str(self._secrets))
        self.kubectl("apply", "-k", str(self._overlay))
        self.await_ready("postgres", "etcd", "moto", *SERVICES)

    def _remove_earlier(self) -> None:
        for namespace in (NAMESPACE, WORKERS):
            found = self.kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=json")
            if found and _TEST_LABEL not in json.loads(found)["metadata"]["labels"]:
                pytest.fail(f"the namespace {namespace} of this cluster belongs to a real installation")
        self.remove()

    def remove(self, *, wait: bool = True) -> None:
        """Takes everything away."""
        waiting = "--timeout=120s" if wait else "--wait=false"
        self.kubectl("delete", "namespace", NAMESPACE, WORKERS, "--ignore-not-found", waiting)

    def way_to_the_api_server(self) -> CuttableNetwork | None:
        """A way for pods to an API server that listens to this machine alone; None if they have one.

        What is behind the service `kubernetes` is the address that the server advertises; a cluster for tests may have
        it listen on the loopback address only.
        """
        (subset,) = self._core.read_namespaced_endpoints("kubernetes", "default").subsets
        advertised = (subset.addresses[0].ip, subset.ports[0].port)
        try:
            socket.create_connection(advertised, timeout=5).close()
        except ConnectionRefusedError:
            server = urlsplit(self._core.api_client.configuration.host)
            assert server.hostname is not None
            return CuttableNetwork(to=(server.hostname, server.port or 443), at=advertised)
        except OSError:
            # What this machine cannot reach, pods may.
            return None
        return None

    # --- what is done to it -------------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str, within_s: float = 240.0) -> str:
        """What kubectl prints. Fails if it fails."""
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, timeout=within_s, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}\n{self.described()}"
        return done.stdout

    def described(self) -> str:
        """What there is and what it said last, for whoever has to find out why a test failed."""
        words = ("get", "pods", "--all-namespaces", "--output=wide")
        logs = ("logs", f"--namespace={NAMESPACE}", f"--selector={_PLATFORM}", "--tail=15", "--prefix")
        told = (
            subprocess.run(["kubectl", *each], capture_output=True, text=True, check=False) for each in (words, logs)
        )
        return "\n".join(f"{one.stdout[-12000:]}{one.stderr[-500:]}" for one in told)

    def await_ready(self, *deployments: str) -> None:
        """Returns when every process of these is ready and is of the newest kind."""
        for name in deployments:
            self.kubectl("rollout", "status", f"deployment/{name}", f"--namespace={NAMESPACE}", "--timeout=200s")

    def roll(self) -> None:
        """Replaces every process of every service, one after another in each, all services at once."""
        self.kubectl("rollout", "restart", f"--namespace={NAMESPACE}", *(f"deployment/{name}" for name in SERVICES))
        self.await_ready(*SERVICES)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The pods of a service or store."""
        selector = f"--selector=app.kubernetes.io/name={name}"
        listed = self.kubectl("get", "pods", f"--namespace={NAMESPACE}", selector, "--output=json")
        return list(json.loads(listed)["items"])

    def restart_store(self, name: str, signal: str) -> None:
        """Ends the only process of a store by a signal; its container starts again on the same data."""
        (pod,) = self.pods(name)
        own, before = pod["metadata"]["name"], pod["status"]["containerStatuses"][0]["restartCount"]
        command = ("exec", f"--namespace={NAMESPACE}", own, "--", "sh", "-c", f"kill -{signal} 1")
        subprocess.run(["kubectl", *command], capture_output=True, check=False, timeout=60)
        listing, chosen = self._core.list_namespaced_pod, f"metadata.name={own}"
        for change in changes(listing, NAMESPACE, field_selector=chosen, timeout_seconds=60):
            (container,) = change["object"].status.container_statuses
            if container.restart_count > before and container.ready:
                return
        raise AssertionError(f"{name} did not come back: {self.described()}")

    def logged(self, pod: str, words: str, *, within_s: float = 90.0) -> None:
        """Returns once a pod has logged these words."""
        command = ["kubectl", "logs", "--follow", f"--namespace={NAMESPACE}", pod]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            patience = threading.Timer(within_s, following.kill)
            patience.start()
            try:
                found = any(words in line for line in following.stdout)
            finally:
                patience.cancel()
                following.kill()
        assert found, f"{pod} did not say {words}: {self.described()}"

    def leader(self, service: str = "scheduler") -> str:
        """The pod that leads a service; waits for one."""
        return asyncio.run(self._await_leader(service))[0]

    def kill_leader(self, service: str = "scheduler") -> float:
        """Kills the process that leads, without a word to it; the seconds until the next term of leading has begun."""
        leader, epoch = asyncio.run(self._await_leader(service))
        began = self._kill(leader)
        asyncio.run(self._await_leader(service, after=epoch))
        return time.monotonic() - began

    def _kill(self, name: str) -> float:
        """Kills the process of a pod from outside of it, where nothing can be caught; returns when that was.

        Deleting a pod, also by force, has the kubelet ask its process to end first; and the first process of a
        container cannot be killed from inside. So another pod does it, which sees the processes of the node.
        """
        killer = f"killer-of-{name}"
        node = self._core.read_namespaced_pod(name, NAMESPACE).spec.node_name
        container = {
            "name": "killer",
            "image": "flyteplane/stores:ci",
            "command": ["pkill", "--signal=KILL", "--full", f"flyteplane.launcher.*--name={name}"],
            "securityContext": {"runAsUser": 0},
        }
        spec = {"hostPID": True, "nodeName": node, "restartPolicy": "Never", "containers": [container]}
        self._core.create_namespaced_pod(NAMESPACE, {"metadata": {"name": killer}, "spec": spec})
        listing, chosen = self._core.list_namespaced_pod, f"metadata.name={killer}"
        for change in changes(listing, NAMESPACE, field_selector=chosen, timeout_seconds=60):
            if (phase := change["object"].status.phase) in ("Succeeded", "Failed"):
                assert phase == "Succeeded", self.described()
                return time.monotonic()
        raise AssertionError(f"{name} was not killed: {self.described()}")

    async def _await_leader(self, service: str, *, after: int = 0, within_s: float = 60.0) -> tuple[str, int]:
        """The pod that serves as the leader of a service in a term after this one, and its epoch."""
        etcd = self.kubectl("get", "service", "etcd", f"--namespace={NAMESPACE}", "--output=jsonpath={.spec.clusterIP}")
        coordination = EtcdCoordination(EtcdSettings(endpoints=(f"http://{etcd}:2379",)), clock=SystemClock())
        key = leader_key(f"{service.replace('-', '_')}/0")
        try:
            async with asyncio.timeout(within_s), coordination.mirror(key) as mirror:
                changes = aiter(mirror)
                while True:
                    held = mirror.snapshot.get(key)
                    name = self._at(service, held.value.decode()) if held is not None else ""
                    if held is not None and name and held.create_revision > after:
                        return name, held.create_revision
                    await anext(changes)
        finally:
            await coordination.close()

    def _at(self, service: str, address: str) -> str:
        """The pod of a service that listens at an address; empty for none."""
        host = address.rpartition(":")[0]
        found = [pod["metadata"]["name"] for pod in self.pods(service) if pod["status"].get("podIP") == host]
        return str(found[0]) if host and found else ""

    # --- what it is used by -------------------------------------------------------------------------------------------

    def connect(self, root_dir: Path) -> None:
        """Makes this process a client, from outside of the cluster."""
        flyte.init(
            endpoint=self.endpoint, api_key=self.api_key, ca_cert_file_path=str(self.authority), root_dir=root_dir
        )

    def flyte(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        api_key: str | None = None,
        within_s: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Runs the `flyte` command from outside of the cluster; by default with the operator's key."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLYTE_", "LC_"))}
        config = self._secrets.parent / "config.yaml"
        config.write_text(json.dumps({"admin": {"endpoint": self.endpoint, "caCertFilePath": str(self.authority)}}))
        return subprocess.run(
            [str(FLYTE), "--config", str(config), *arguments],
            env={**clean, "FLYTE_API_KEY": self.api_key if api_key is None else api_key},
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=within_s,
            check=False,
        )


def require_installation() -> None:
    """Skips the test unless there is a cluster, kubectl, and the images of the test overlay in it."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    if not os.environ.get(IMAGES_VARIABLE):
        pytest.skip(f"{IMAGES_VARIABLE} does not say that the cluster has the images of the test overlay")


@contextmanager
def installed(folder: Path, repository: Path) -> Iterator[Installation]:
    """An installation that is ready; removed at the end. Skips the test where there can be none."""
    require_installation()
    installation = Installation(folder, overlay=repository / "deploy/kubernetes/overlays/test")
    with ExitStack() as stack:
        if (network := installation.way_to_the_api_server()) is not None:
            stack.enter_context(network)
        try:
            installation.install()
            yield installation
        finally:
            set_settings(None)
            installation.remove(wait=False)


def names(pods: Sequence[dict[str, Any]]) -> set[str]:
    """The names of pods."""
    return {pod["metadata"]["name"] for pod in pods}
