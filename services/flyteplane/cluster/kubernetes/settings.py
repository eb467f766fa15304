"""What an operator says about one Kubernetes cluster, checked before anything is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from flyteplane.cluster.pods.names import is_label_value, namespace_of, shares_namespaces
from flyteplane.cluster.pods.surroundings import PodDefaults, PodSurroundings
from flyteplane.foundation.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSettings(PodDefaults):
    """One cluster. Times in seconds.

    Raises:
        InvalidArgument: a value cannot be used; names it.
    """

    name: str
    """In the operator's configuration."""
    kubeconfig: str = ""
    """Path of a kubeconfig; empty: this process runs in the cluster and uses its service account."""
    context: str = ""
    """Of the kubeconfig; empty: its current one."""
    namespace: str = "flyte"
    """One namespace, or a template with `{project}` and `{domain}`."""
    create_namespaces: bool = False
    """Whether a namespace that is missing is created; needs the right to."""
    contact_s: float = 30.0
    """How long a worker goes on without an answer of its owner; it ends itself then."""
    installation: str = "flyteplane"
    """Value of the label that marks the pods of this owner; no two owners in one cluster share it."""
    requests_per_second: float = 100.0
    """Limit on requests to the API server."""
    burst: int = 200
    request_timeout_s: float = 15.0
    image_patience_s: float = 300.0
    """How long an image may fail to be pulled for reasons that can pass."""
    container_patience_s: float = 30.0
    """How long a container may be refused for something that may still be created, such as a config map."""
    kill_margin_s: float = 10.0
    """After the grace of a deletion: how long until it is repeated without grace."""
    log_lines: int = 15
    """Last lines of a failed container's log that its exit's message quotes."""
    resync_s: float = 300.0
    """How often everything is listed and compared, whatever the watch said."""
    watch_s: float = 240.0
    """How long one watch lasts."""
    watch_silence_s: float = 90.0
    """A watch that says nothing for so long, not even a bookmark, is dead; they come once a minute."""
    probe_s: float = 10.0
    """A watch that says nothing for so long is accompanied by a request that shows whether the server answers."""

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidArgument("a Kubernetes cluster needs a name", field="name")
        if not self.installation or not is_label_value(self.installation):
            raise InvalidArgument(
                f"{self.installation!r} cannot be the value of a Kubernetes label",
                field="installation",
                limit="63 characters: letters, digits, '-', '_' and '.'",
            )
        if not self.worker_endpoints:
            raise InvalidArgument(
                "workers need at least one endpoint to reach", field="worker_endpoints", mend="Give host:port."
            )
        for name in ("requests_per_second", "burst", "request_timeout_s", "contact_s", "watch_s"):
            if getattr(self, name) <= 0:
                raise InvalidArgument(f"{name} must be above 0, not {getattr(self, name)}", field=name)
        # Any name shows whether the template itself is sound.
        namespace_of(self.namespace, project="project", domain="domain")

    @property
    def one_namespace(self) -> str:
        """The namespace of all pods; empty if it depends on project and domain."""
        return "" if "{" in self.namespace else self.namespace

    def namespace_for(self, labels: Mapping[str, str]) -> str:
        """The namespace of a worker with these labels. Raises InvalidArgument."""
        return namespace_of(self.namespace, project=labels.get("project", ""), domain=labels.get("domain", ""))

    def surroundings(self, *, pod_name: str, namespace: str) -> PodSurroundings:
        """What the manifest of one pod is made of besides the worker."""
        return PodSurroundings(
            pod_name=pod_name,
            namespace=namespace,
            installation=self.installation,
            cluster=self.name,
            contact_s=self.contact_s,
            shared_namespace=shares_namespaces(self.namespace),
            **{one.name: getattr(self, one.name) for one in fields(PodDefaults)},
        )
