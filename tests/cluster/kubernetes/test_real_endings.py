"""Endings of real pods on the cluster that KUBECONFIG names; skipped without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from tests.cluster.kubernetes.real import needs_kubernetes, real_api, real_cluster, real_namespace, shell
from tests.support.fake_kubernetes import until
from tests.support.worker_listener import Listener

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, ResourceRequest
from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.kubernetes.marks import pods_path
from flyteplane.cluster.pods.names import pod_name
from flyteplane.cluster.ports import ExitReason, WorkerStage

pytestmark = needs_kubernetes
_SLOW_S = 90.0


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[KubernetesCluster]:
    """A real cluster whose namespace can run pods."""
    async with real_namespace() as namespace, real_cluster(namespace) as cluster:
        yield cluster


async def _start(cluster: KubernetesCluster, name: str, script: str, **pod: Any) -> Listener:
    listener = Listener()
    await cluster.start(shell(name, script, **pod), listener)
    return listener


async def test_codes_signals_and_memory_are_told(cluster: KubernetesCluster) -> None:
    codes = await _start(cluster, "code", "echo last words; exit 3")
    killed = await _start(cluster, "killed", "python3 -c 'import os; os.kill(os.getpid(), 9)'; exit $?")
    greedy = await _start(cluster, "greedy", "exec python3 -c 'x = bytearray(500_000_000)'")
    code = await codes.gone(within_s=_SLOW_S)
    assert (code.reason, code.exit_code) == (ExitReason.ENDED, 3)
    assert "last words" in code.message
    assert (await killed.gone(within_s=_SLOW_S)).signal == 9
    assert (await greedy.gone(within_s=_SLOW_S)).reason is ExitReason.OUT_OF_MEMORY


async def test_a_pod_deleted_by_hand_is_told(cluster: KubernetesCluster) -> None:
    listener = await _start(cluster, "victim", "trap 'exit 143' TERM; sleep 1000 & wait")
    await until(lambda: any(each.node for each in listener.heard), within_s=_SLOW_S)
    async with real_api() as api:
        path = pods_path("", "")
        found = await api.call("GET", path, parameters={"fieldSelector": f"metadata.name={pod_name('victim')}"})
        namespace = found["items"][0]["metadata"]["namespace"]
        await api.call("DELETE", pods_path(namespace, pod_name("victim")), body={"gracePeriodSeconds": 1})
    assert (await listener.gone(within_s=_SLOW_S)).reason is ExitReason.POD_DELETED


async def test_a_request_that_fits_nowhere_waits_and_says_why(cluster: KubernetesCluster) -> None:
    listener = await _start(cluster, "huge", "true", resources=ResourceRequest(cpu="500"))
    progress = await listener.hears("Unschedulable", within_s=_SLOW_S)
    assert progress.stage is WorkerStage.WAITING
    assert "Insufficient cpu" in progress.message
    await cluster.stop("huge", grace_s=1)
    assert (await listener.gone(within_s=_SLOW_S)).reason is ExitReason.STOPPED


async def test_images_and_commands_that_do_not_exist_are_told(cluster: KubernetesCluster) -> None:
    unnamed = await _start(cluster, "unnamed", "true", image=ImageSpec(uri="UPPER/case:tag"))
    mounts = {"containers": [{"name": "primary", "envFrom": [{"configMapRef": {"name": "missing"}}]}]}
    unset = await _start(cluster, "unset", "true", template=mounts)
    assert (await unnamed.gone(within_s=_SLOW_S)).reason is ExitReason.IMAGE_NOT_FOUND
    progress = await unset.hears("CreateContainerConfigError", within_s=_SLOW_S)
    assert "missing" in progress.message
    await cluster.stop("unset", grace_s=1)


async def test_sidecars_end_with_the_primary(cluster: KubernetesCluster) -> None:
    sidecar = {"name": "proxy", "image": "python:3.11-slim", "command": ["sleep", "1000"]}
    template = {"containers": [{"name": "primary"}, sidecar], "terminationGracePeriodSeconds": 1}
    listener = await _start(cluster, "with-sidecar", "true", template=template)
    assert (await listener.gone(within_s=_SLOW_S)).exit_code == 0
    for _try in range(300):
        if await _nothing_left("with-sidecar"):
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the pod was left behind")


async def _nothing_left(name: str) -> bool:
    async with real_api() as api:
        selector = {"fieldSelector": f"metadata.name={pod_name(name)}"}
        return not (await api.call("GET", pods_path(""), parameters=selector))["items"]
