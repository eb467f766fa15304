"""Clusters and resource classes: where attempts are placed, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyteplane.console.views.amounts import bytes_text, cpu_text, share

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.cluster_service_pb2 import Cluster
    from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """A cluster."""

    name: str
    kind: str
    reachable: bool
    cpu: str
    memory: str
    workers: int

    @property
    def key(self) -> str:
        """Names its row on the page."""
        return f"cluster-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassView:
    """A resource class. Shares are of its quota, None without one."""

    name: str
    most: str
    accelerators: str
    clusters: str
    running: int
    cpu: str
    cpu_share: float | None
    memory: str
    memory_share: float | None
    allows: str
    from_file: bool
    built_in: bool

    @property
    def key(self) -> str:
        """Names its row on the page."""
        return f"class-{self.name}"


def cluster_view(cluster: Cluster) -> ClusterView:
    """A cluster of a message."""
    return ClusterView(
        name=cluster.name,
        kind={"process": "Processes of this machine", "kubernetes": "Kubernetes"}.get(cluster.kind, cluster.kind),
        reachable=cluster.reachable,
        cpu=cpu_text(cluster.cpu_millis) or "the cluster decides",
        memory=bytes_text(cluster.memory_bytes) or "the cluster decides",
        workers=cluster.workers,
    )


def class_view(found: ResourceClass) -> ClassView:
    """A resource class of a message."""
    allowed = {
        "host paths": found.allow_host_paths,
        "privileged mode": found.allow_privileged,
        "service account token": found.allow_service_account_token,
    }
    return ClassView(
        name=found.name,
        most=f"{cpu_text(found.max_cpu_millis) or 'any'} CPU, {bytes_text(found.max_memory_bytes) or 'any memory'}",
        accelerators=", ".join(f"{count} × {name}" for name, count in sorted(found.max_accelerators.items())),
        clusters=", ".join(found.clusters) or "all",
        running=found.running,
        cpu=_used(cpu_text(found.used_cpu_millis), cpu_text(found.quota_cpu_millis)),
        cpu_share=share(found.used_cpu_millis, found.quota_cpu_millis),
        memory=_used(bytes_text(found.used_memory_bytes), bytes_text(found.quota_memory_bytes)),
        memory_share=share(found.used_memory_bytes, found.quota_memory_bytes),
        allows=", ".join(name for name, allows in allowed.items() if allows),
        from_file=found.from_file,
        built_in=found.built_in,
    )


def _used(used: str, quota: str) -> str:
    return f"{used or '0'} of {quota}" if quota else used or "0"
