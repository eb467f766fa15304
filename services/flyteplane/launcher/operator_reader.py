"""Reads and checks the operator's file.

Reading is all or nothing: a file with any mistake is refused as a whole, with every mistake named by line and place.
No key is skipped because it is not known, and nothing is corrected in silence.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyteplane.admin.notifications import NotificationOptions
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.identity.settings import IdentitySettings
from flyteplane.launcher.clusters import ProcessClusterSettings
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.service_addresses import ServiceAddresses
from flyteplane.launcher.tls_settings import TlsSettings
from flyteplane.observe.telemetry import TelemetrySettings
from flyteplane.reuse_pool.domain.policy import PoolSettings
from flyteplane.scheduler.domain.history import HistoryLimits
from flyteplane.scheduler.domain.queueing.checks import ANY_CLUSTER
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.pod_settings import refuse_settings_of_pods
from flyteplane.scheduler.domain.queueing.settings import QueueSettings, parse_priority
from flyteplane.secrets.settings import SecretsSettings

if TYPE_CHECKING:
    from flyteplane.cluster.kubernetes.settings import KubernetesSettings
    from flyteplane.coordination import EtcdSettings
    from flyteplane.launcher import operator_schema as schema
    from flyteplane.launcher.operator_problems import Place, Problems
    from flyteplane.objects.s3_settings import S3Settings

T = TypeVar("T")

#: Longest name of a cluster: names of resource classes are made of it.
LONGEST_CLUSTER_NAME: Final = 40

#: From the fields of values to the keys of the file, where these differ.
_CLASS_KEYS: Final[dict[str, tuple[str | int, ...]]] = {
    "max_cpu_millis": ("cpu",),
    "max_memory_bytes": ("memory",),
    "max_accelerators": ("accelerators",),
    "quota_cpu_millis": ("quota", "cpu"),
    "quota_memory_bytes": ("quota", "memory"),
    "tolerations_json": ("tolerations",),
    "service_accounts": ("allow", "service_accounts"),
}

#: The same for the limits of pools.
_POOL_KEYS: Final[dict[str, tuple[str | int, ...]]] = {
    "overflow_limit": ("overflow_replicas",),
    "overflow_idle_s": ("overflow_idle_s",),
    "lent_limit": ("lent_slots",),
    "kills_to_quarantine": ("kills_to_quarantine",),
    "lease_time_s": ("lease_s",),
    "lease_margin_s": ("lease_margin_s",),
    "start_timeout_s": ("start_timeout_s",),
    "failed_starts": ("failed_starts",),
    "start_backoff_s": ("start_backoff_s",),
    "start_backoff_cap_s": ("start_backoff_cap_s",),
    "revoked_grace_s": ("stop_patience_s",),
    "recycle_after_tasks": ("recycle", "after_tasks"),
    "recycle_after_s": ("recycle", "after_s"),
    "recycle_above_bytes": ("recycle", "above_memory"),
}

#: The same for the limits of the cache.
_CACHE_KEYS: Final[dict[str, tuple[str | int, ...]]] = {
    "max_bytes": ("max_size",),
    "max_age_s": ("max_age_days",),
}
_DAY_S: Final = 24 * 3600.0


def read_operator_file(path: Path) -> OperatorFile:
    """Reads and checks the file. Raises InvalidArgument (OPERATOR_FILE) that names every mistake."""
    from pydantic import ValidationError

    from flyteplane.launcher import operator_schema as schema
    from flyteplane.launcher.operator_problems import Problems
    from flyteplane.launcher.operator_text import NotYaml, YamlText

    path = path.expanduser().absolute()
    try:
        text = YamlText(_content(path))
    except NotYaml as error:
        raise InvalidArgument(f"{path}: {error}", reason="OPERATOR_FILE") from error
    problems = Problems(path, text)
    try:
        file = schema.File.model_validate({} if text.value is None else text.value)
    except ValidationError as error:
        problems.add_shape(error, root=schema.File, kinds=schema.CLUSTER_KINDS)
        problems.refuse()
        raise
    values = _Reader(path, problems).values(file)
    problems.refuse()
    return values


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(
            f"{path} cannot be read: {error.strerror}",
            reason="OPERATOR_FILE",
            mend="Give the path of a flyteplane.yaml that the platform may read.",
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{path} is not text in UTF-8", reason="OPERATOR_FILE") from error


class _Reader:
    """Turns a file of the right shape into values, and notes what these refuse."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._has_nodes: dict[str, bool] = {}

    def values(self, file: schema.File) -> OperatorFile:
        clusters: list[ProcessClusterSettings | KubernetesSettings] = [ProcessClusterSettings()]
        if file.clusters is not None:
            places = ((("clusters", number), cluster) for number, cluster in enumerate(file.clusters))
            clusters = [made for place, cluster in places if (made := self._cluster(place, cluster)) is not None]
        names = [cluster.name for cluster in file.clusters] if file.clusters is not None else [clusters[0].name]
        for section in ("clusters", "resource_classes", "queues"):
            self._refuse_same_names(section, getattr(file, section) or [])
        self._has_nodes = {one.name: one.kind != "process" for one in file.clusters or ()} or {clusters[0].name: False}
        self._refuse_same_installations(file.clusters or ())
        self._refuse_unknown_clusters("resource_classes", file.resource_classes, known=names)
        self._refuse_unknown_clusters("queues", file.queues, known=names)
        return OperatorFile(
            path=self._path,
            coordination=self._coordination(file.coordination),
            clusters=tuple(clusters),
            resource_classes=tuple(self._each("resource_classes", file.resource_classes, make=self._class)),
            queues=tuple(self._each("queues", file.queues, make=self._queue)),
            reuse_pool=self._reuse_pool(file.reuse_pool),
            cache=self._cache(file.cache),
            history=HistoryLimits(keep_s=file.history.keep_days * _DAY_S, with_data=file.history.with_data),
            services=self._services(file.services),
            secrets=self._secrets(file.secrets),
            tls=self._tls(file.tls),
            identity=self._identity(file.identity),
            notifications=self._notifications(file.notifications),
            telemetry=self._telemetry(file.telemetry),
            objects=self._objects(file.objects),
            console_url=file.console.public_url.rstrip("/"),
        )

    def _each(self, section: str, given: Sequence[Any], *, make: Callable[[Place, Any], T]) -> Iterator[T]:
        for number, one in enumerate(given):
            place: Place = (section, number)
            try:
                yield make(place, one)
            except PlatformError as error:
                self._problems.add_refusal(place, error, names=_CLASS_KEYS)

    def _queue(self, place: Place, given: schema.Queue) -> QueueSettings:
        return QueueSettings(
            name=given.name,
            run_concurrency=given.run_concurrency,
            action_concurrency=given.action_concurrency,
            depth=given.depth,
            priority=parse_priority(given.priority),
            clusters=tuple(given.clusters),
            draining=given.draining,
        )

    def _class(self, place: Place, given: schema.Class) -> ResourceClass:
        accelerators = dict(given.accelerators)
        if given.gpu and "GPU" in accelerators:
            self._problems.add(
                (*place, "gpu"), "it stands beside accelerators.GPU, which is the same: give one of them"
            )
        elif given.gpu:
            accelerators["GPU"] = given.gpu
        shape = ResourceClass(
            name=given.name,
            max_cpu_millis=given.cpu,
            max_memory_bytes=given.memory,
            max_accelerators=accelerators,
            clusters=tuple(given.clusters),
            quota_cpu_millis=given.quota.cpu,
            quota_memory_bytes=given.quota.memory,
            node_selector=given.node_selector,
            tolerations_json=json.dumps(given.tolerations, default=str) if given.tolerations else "",
            priority_class=given.priority_class,
            allow_host_paths=given.allow.host_paths,
            allow_privileged=given.allow.privileged,
            allow_service_account_token=given.allow.service_account_token,
            service_accounts=tuple(given.allow.service_accounts),
        )
        refuse_settings_of_pods(shape, has_nodes=self._has_nodes)
        return shape

    def _cluster(self, place: Place, given: schema.AnyCluster) -> ProcessClusterSettings | KubernetesSettings | None:
        from flyteplane.launcher.operator_clusters import kubernetes_settings

        self._refuse_cluster_name(place, given.name)
        if given.kind == "process":
            return ProcessClusterSettings(name=given.name, cpu_millis=given.cpu, memory_bytes=given.memory)
        kubeconfig = self._file((*place, "kubeconfig"), given.kubeconfig)
        try:
            return kubernetes_settings(given, kubeconfig=kubeconfig)
        except PlatformError as error:
            self._problems.add_refusal(place, error, names={})
            return None

    def _coordination(self, given: schema.Coordination | None) -> EtcdSettings | None:
        from flyteplane.launcher.operator_clusters import etcd_settings

        if given is None:
            return None
        try:
            return etcd_settings(given.etcd, folder=self._path.parent)
        except PlatformError as error:
            self._problems.add_refusal(("coordination", "etcd"), error, names={})
            return None

    def _reuse_pool(self, given: schema.ReusePool) -> PoolSettings:
        written: Any = given.model_dump()
        values = {field: reduce(operator.getitem, keys, written) for field, keys in _POOL_KEYS.items()}
        try:
            return PoolSettings(**values)
        except PlatformError as error:
            self._problems.add_refusal(("reuse_pool",), error, names=_POOL_KEYS)
            return PoolSettings()

    def _cache(self, given: schema.Cache) -> CacheLimits:
        try:
            return CacheLimits(
                max_bytes=given.max_size, max_entries=given.max_entries, max_age_s=given.max_age_days * _DAY_S
            )
        except PlatformError as error:
            self._problems.add_refusal(("cache",), error, names=_CACHE_KEYS)
            return CacheLimits()

    def _services(self, given: object) -> ServiceAddresses:
        try:
            return ServiceAddresses.parse(given)
        except PlatformError as error:
            place = error.field.split(".")
            self._problems.add(place, f"{error.message.removeprefix(f'{error.field}: ')}. {error.mend}".strip())
            return ServiceAddresses()

    def _secrets(self, given: schema.Secrets | None) -> SecretsSettings:
        from flyteplane.launcher.operator_secrets import secrets_settings

        if given is None:
            return SecretsSettings()
        try:
            return secrets_settings(given, folder=self._path.parent)
        except PlatformError as error:
            self._problems.add_refusal(("secrets",), error, names={})
            return SecretsSettings()

    def _telemetry(self, given: schema.Telemetry) -> TelemetrySettings:
        try:
            return TelemetrySettings(otlp_endpoint=given.otlp_endpoint, sample=given.sample)
        except PlatformError as error:
            self._problems.add_refusal(("telemetry",), error, names={})
            return TelemetrySettings()

    def _objects(self, given: schema.Objects | None) -> S3Settings | None:
        from flyteplane.objects.s3_settings import S3Settings

        if given is None:
            return None
        files = ("access_key_file", "secret_key_file", "ca_file")
        paths = {name: self._file(("objects", name), getattr(given, name)) for name in files}
        if any(path is None and getattr(given, name) is not None for name, path in paths.items()):
            return None
        try:
            return S3Settings(**{**given.model_dump(), **paths})
        except PlatformError as error:
            self._problems.add_refusal(("objects",), error, names={})
            return None

    def _identity(self, given: schema.Identity | None) -> IdentitySettings:
        from flyteplane.launcher.operator_identity import identity_settings

        if given is None:
            return IdentitySettings()
        try:
            return identity_settings(given, folder=self._path.parent)
        except PlatformError as error:
            self._problems.add_refusal(("identity",), error, names={})
            return IdentitySettings()

    def _notifications(self, given: schema.Notifications) -> NotificationOptions:
        from flyteplane.launcher.operator_notifications import notification_options

        try:
            return notification_options(given, folder=self._path.parent)
        except PlatformError as error:
            self._problems.add_refusal(("notifications",), error, names={})
            return NotificationOptions()

    def _tls(self, given: schema.Tls | None) -> TlsSettings:
        from flyteplane.launcher.operator_tls import tls_settings

        return TlsSettings() if given is None else tls_settings(given, folder=self._path.parent)

    def _file(self, place: Place, given: str | None) -> Path | None:
        """A file that the operator's file names, relative to the folder that it lies in."""
        if given is None:
            return None
        path = self._path.parent / Path(given).expanduser()
        try:
            with path.open("rb"):
                return path
        except OSError as error:
            self._problems.add(place, f"{path} cannot be read: {error.strerror}")
            return None

    def _refuse_cluster_name(self, place: Place, name: str) -> None:
        from flyte.spec.names import NameKind, is_name

        if len(name) > LONGEST_CLUSTER_NAME or not is_name(name, kind=NameKind.QUEUE):
            words = f"1 to {LONGEST_CLUSTER_NAME} characters of a-z, 0-9 and -, a letter or digit at both ends"
            self._problems.add((*place, "name"), f"{name!r} is not the name of a cluster (allowed: {words})")

    def _refuse_same_names(self, section: str, given: Sequence[Any]) -> None:
        first: dict[str, int] = {}
        for number, one in enumerate(given):
            if first.setdefault(one.name, number) != number:
                self._problems.add(
                    (section, number, "name"), f"{one.name!r} is the name of entry {first[one.name]} too"
                )

    def _refuse_same_installations(self, given: Sequence[schema.AnyCluster]) -> None:
        """Pods are told apart by this label: two owners of the same pods would stop each other's."""
        first: dict[tuple[str | None, str, str], str] = {}
        for number, one in enumerate(given):
            if one.kind == "process":
                continue
            other = first.setdefault((one.kubeconfig, one.context, one.installation), one.name)
            if other != one.name:
                words = (
                    f"cluster {other!r} has the same kubeconfig and context, and marks its pods with "
                    f"{one.installation!r} too: give one of them another installation"
                )
                self._problems.add(("clusters", number, "installation"), words)

    def _refuse_unknown_clusters(self, section: str, given: Sequence[Any], *, known: Sequence[str]) -> None:
        for number, one in enumerate(given):
            unknown = [name for name in one.clusters if name != ANY_CLUSTER and name not in known]
            if unknown:
                words = f"there is no cluster {', '.join(map(repr, unknown))}; the clusters are: {', '.join(known)}"
                self._problems.add((section, number, "clusters"), words)
