"""Opens the clusters on which a process places workers.

Without an operator's word there is one: the processes of this machine, named "local". Kubernetes is imported only when
a cluster of that kind is named, because its client costs a second and 60 MB.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.cluster.ports import Cluster
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.launcher.objects import OpenObjects

LOCAL: Final = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessClusterSettings:
    """This machine's processes as a cluster."""

    name: str = LOCAL
    cpu_millis: int = 0
    """Room for workers in thousandths of a core; 0: what the machine has. The same for memory."""
    memory_bytes: int = 0


ClusterSettings: TypeAlias = "ProcessClusterSettings | KubernetesSettings"


async def open_clusters(
    wanted: Sequence[ClusterSettings],
    *,
    folder: Path,
    objects: OpenObjects,
    clock: TimerClock,
    stack: AsyncExitStack,
    worker_authorities: str = "",
) -> Sequence[Cluster]:
    """Open every cluster, in the order given; they are closed with `stack`.

    Args:
        wanted: none for the default.
        folder: where local workers do their work. It belongs to this process: what an earlier one left there is ended.
        objects: the platform's store; local workers reach one that is no folder by way of this process.
        worker_authorities: PEM of those by which workers in pods judge the listeners that they connect to; empty where
            these have no TLS.

    Raises PlatformError when one cannot be used as configured. An API server that is away is no reason.
    """
    clusters: list[Cluster] = []
    for settings in wanted or (ProcessClusterSettings(),):
        if isinstance(settings, ProcessClusterSettings):
            # Each has a folder of its own, because it ends whatever an earlier life of it left there.
            first = not any(cluster.kind == "process" for cluster in clusters)
            own = folder if first else folder / "clusters" / settings.name
            data_socket = "" if objects.shared_by_folder else await _data_socket(objects, own, stack)
            clusters.append(await _open_processes(settings, own, stack, platform=folder, data_socket=data_socket))
        else:
            clusters.append(
                await _open_kubernetes(replace(settings, worker_authorities=worker_authorities), clock, stack)
            )
    return clusters


async def _data_socket(objects: OpenObjects, folder: Path, stack: AsyncExitStack) -> str:
    from flyteplane.launcher.local_data import serve_objects

    return str(await serve_objects(objects, folder, stack=stack))


async def _open_processes(
    settings: ProcessClusterSettings, folder: Path, stack: AsyncExitStack, *, platform: Path, data_socket: str
) -> Cluster:
    from flyteplane.cluster.machine import machine_capacity
    from flyteplane.cluster.ports import ClusterCapacity
    from flyteplane.cluster.process import ProcessCluster
    from flyteplane.cluster.worker_environment import PLATFORM_FOLDER_VARIABLE

    machine = machine_capacity()
    capacity = ClusterCapacity(
        cpu_millis=settings.cpu_millis or machine.cpu_millis,
        memory_bytes=settings.memory_bytes or machine.memory_bytes,
    )
    # So that a task can ask the platform that it runs on for something, such as a deployed task.
    environment = {**os.environ, PLATFORM_FOLDER_VARIABLE: str(platform)}
    cluster = ProcessCluster(
        folder, name=settings.name, capacity=capacity, platform_env=environment, data_socket=data_socket
    )
    stack.push_async_callback(cluster.close)
    # The template imports the runtime while this process goes on opening.
    await cluster.open()
    return cluster


async def _open_kubernetes(settings: KubernetesSettings, clock: TimerClock, stack: AsyncExitStack) -> Cluster:
    from flyteplane.cluster.kubernetes.adapter import KubernetesCluster

    cluster = KubernetesCluster(settings, clock=clock)
    # A server that is away stops no start: what runs there goes on, and its health says so meanwhile.
    await cluster.open(must_answer=False)
    stack.push_async_callback(cluster.close)
    return cluster
