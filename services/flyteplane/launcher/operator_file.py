"""The operator's file, `flyteplane.yaml`: coordination, clusters, resource classes, queues, pools, as plain values.

Values that were read are valid as a whole: a file with any mistake is refused, and whoever has older values keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flyteplane.admin.notifications import NotificationOptions
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.identity.settings import IdentitySettings
from flyteplane.launcher.clusters import ProcessClusterSettings
from flyteplane.launcher.service_addresses import ServiceAddresses
from flyteplane.launcher.tls_settings import TlsSettings
from flyteplane.observe.telemetry import TelemetrySettings
from flyteplane.reuse_pool.domain.policy import PoolSettings
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.history import FOR_EVER, HistoryLimits
from flyteplane.secrets.settings import SecretsSettings

if TYPE_CHECKING:
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.coordination import EtcdSettings
    from flyteplane.objects.s3_settings import S3Settings
    from flyteplane.scheduler.domain.queueing.classes import ResourceClass
    from flyteplane.scheduler.domain.queueing.settings import QueueSettings


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
    reuse_pool: PoolSettings = field(default_factory=PoolSettings)
    cache: CacheLimits = field(default_factory=CacheLimits)
    history: HistoryLimits = FOR_EVER
    """How long runs are kept that have ended."""
    services: ServiceAddresses = field(default_factory=ServiceAddresses)
    secrets: SecretsSettings = field(default_factory=SecretsSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    notifications: NotificationOptions = field(default_factory=NotificationOptions)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    console_url: str = ""
    """Where people reach the console if that is not where it listens; empty: where it listens."""
    objects: S3Settings | None = None
    """None: the folder `objects/` of the platform's folder."""

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
