"""The operator's file, `flyteplane.yaml`: coordination, clusters, resource classes, queues, as plain values.

Values that were read are valid as a whole: a file with any mistake is refused, and whoever has older values keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyteplane.launcher.clusters import ProcessClusterSettings
from flyteplane.scheduler.domain.catalogue import Entries

if TYPE_CHECKING:
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.scheduler.domain.queueing.classes import ResourceClass
    from flyteplane.scheduler.domain.queueing.settings import QueueSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdSettings:
    """Where the coordination state is kept, and how the platform says who it is."""

    endpoints: tuple[str, ...]
    """URLs, all with `http` or all with `https`."""
    ca_file: Path | None = None
    """Certificates to trust; None: those of the machine."""
    cert_file: Path | None = None
    """The platform's own certificate and key; both or none."""
    key_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    """File with the password of `username`."""
    prefix: str = "/flyteplane"
    """Beginning of all keys, so that several platforms can share an etcd."""


def _own_clusters() -> tuple[ProcessClusterSettings | KubernetesSettings, ...]:
    return (ProcessClusterSettings(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFile:
    """Everything that the file says; the defaults are those of a platform without a file."""

    path: Path | None = None
    coordination: EtcdSettings | None = None
    """None: in the memory of the one process."""
    clusters: tuple[ProcessClusterSettings | KubernetesSettings, ...] = field(default_factory=_own_clusters)
    resource_classes: tuple[ResourceClass, ...] = ()
    queues: tuple[QueueSettings, ...] = ()
    services: Mapping[str, Any] = field(default_factory=dict)
    """As it stands in the file."""

    @classmethod
    def read(cls, path: Path) -> OperatorFile:
        """Reads and checks a file. Raises InvalidArgument (OPERATOR_FILE) that names every mistake by line."""
        from flyteplane.launcher.operator_reader import read_operator_file

        return read_operator_file(path)

    @property
    def entries(self) -> Entries:
        """Queues and resource classes, for the scheduler's administration."""
        path = str(self.path) if self.path is not None else ""
        return Entries(queues=self.queues, classes=self.resource_classes, path=path)

    @property
    def cluster_names(self) -> list[str]:
        """The names of all clusters."""
        return [cluster.name for cluster in self.clusters]
