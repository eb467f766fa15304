"""Pods without a platform: what the cluster itself takes, as a client by hand would use it.

They have the image and the resources of the platform's pods, and do less: the interpreter loads nothing that it does
not always load. There are three kinds:

- *by hand*: what `kubectl run` makes, nothing said but image, command and resources. The cluster gives it the token of
  its service account, as it does to every pod that does not decline it;
- *lean*: that token declined, as the platform's pods do, and no privileges; no pod starts sooner;
- *hardened*: a lean one with all safety settings of the platform's pods: the filter of system calls takes time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from benchmarks.pod_cluster import RESOURCES, PodCluster

Kind = Literal["by_hand", "lean", "hardened"]

_PROGRAM = "import time; print(time.time(), flush=True)"


class BarePods:
    """A client of one cluster; `opened` makes one."""

    def __init__(self, cluster: PodCluster, core: Any) -> None:
        self._cluster = cluster
        self._core = core
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._made = 0

    async def first_line(self, kind: Kind) -> float:
        """Seconds from the request for a pod to the line that it prints, as it says itself."""
        name = self._next_name()
        began = time.time()
        await self._run(name, kind)
        # Read behind its end: whoever asks for it while it starts takes the processor from it.
        line = await self._core.read_namespaced_pod_log(name, self._cluster.name)
        await self._delete(name)
        return float(line) - began

    async def seconds_of(self, count: int, *, at_a_time: int) -> float:
        """How long so many pods take, `at_a_time` of them at once; each is deleted when it has ended."""
        slots = asyncio.Semaphore(at_a_time)
        began = time.perf_counter()
        async with asyncio.TaskGroup() as deletions:

            async def one() -> None:
                name = self._next_name()
                async with slots:
                    await self._run(name, "lean")
                deletions.create_task(self._delete(name))

            await asyncio.gather(*(one() for _ in range(count)))
            return time.perf_counter() - began

    def _next_name(self) -> str:
        self._made += 1
        return f"bare-{self._made}"

    async def none_left(self) -> None:
        """Waits until the namespace has no pod, so that nothing is cleaned up beside what is measured next."""
        from kubernetes.aio.watch import Watch

        new_watch: Any = Watch
        listing = self._core.list_namespaced_pod
        found = await listing(self._cluster.name)
        left = {pod.metadata.name for pod in found.items}
        if not left:
            return
        async with new_watch() as changes:
            since = found.metadata.resource_version
            async for change in changes.stream(listing, self._cluster.name, resource_version=since):
                if change["type"] == "DELETED":
                    left.discard(change["object"].metadata.name)
                if not left:
                    return

    async def _run(self, name: str, kind: Kind) -> None:
        ended = self._ended[name] = asyncio.get_running_loop().create_future()
        await self._core.create_namespaced_pod(self._cluster.name, self._pod(name, kind))
        await ended

    async def _delete(self, name: str) -> None:
        await self._core.delete_namespaced_pod(name, self._cluster.name, grace_period_seconds=1)

    def _pod(self, name: str, kind: Kind) -> dict[str, Any]:
        container: dict[str, Any] = {
            "name": "primary",
            "image": self._cluster.image,
            "command": ["python", "-c", _PROGRAM],
            "resources": RESOURCES,
        }
        spec: dict[str, Any] = {"containers": [container], "restartPolicy": "Never"}
        if kind != "by_hand":
            spec["automountServiceAccountToken"] = False
            container["securityContext"] = {"allowPrivilegeEscalation": False, "privileged": False}
        if kind == "hardened":
            container["securityContext"] |= {
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
        return {"metadata": {"name": name, "labels": {"benchmark": "bare"}}, "spec": spec}

    async def watch(self) -> None:
        """Notes which pods have ended, for as long as it is left to."""
        from kubernetes.aio.watch import Watch

        new_watch: Any = Watch
        async with new_watch() as changes:
            listing = self._core.list_namespaced_pod
            async for change in changes.stream(listing, self._cluster.name, label_selector="benchmark=bare"):
                pod = change["object"]
                ended = self._ended.get(pod.metadata.name)
                if ended is not None and not ended.done() and pod.status.phase in ("Succeeded", "Failed"):
                    ended.set_result(None)


@asynccontextmanager
async def opened(cluster: PodCluster) -> AsyncIterator[BarePods]:
    """A client that watches."""
    from kubernetes.aio import client, config

    load: Any = config.new_client_from_config
    async with await load(config_file=cluster.kubeconfig) as api:
        pods = BarePods(cluster, client.CoreV1Api(api))
        watching = asyncio.create_task(pods.watch())
        try:
            yield pods
        finally:
            watching.cancel()
