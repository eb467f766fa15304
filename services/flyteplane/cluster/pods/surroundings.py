"""What a pod is made of besides the worker itself: the operator's configuration of a cluster, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flyteplane.cluster.pods.refusals import refusal

DEFAULT_GRACE_S: Final = 10
"""Seconds between SIGTERM and SIGKILL unless a template says otherwise."""

ACCELERATOR_LABEL: Final = "flyteplane.dev/accelerator"
"""The label of nodes that carry a named device, unless the operator's configuration names another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPolicy:
    """Which limit a request gets that has none of its own: so many times the request, None for no limit.

    Raises InvalidArgument for a factor below 1, which would forbid what is requested.
    """

    cpu: float | None = 1.0
    memory: float | None = 1.0
    least_cpu_millis: int = 1_000
    """A limit of cpu is never less than this: a worker that asks for a twentieth of a core would otherwise take twenty
    times as long to start, and cpu that nobody else wants costs nothing."""

    def __post_init__(self) -> None:
        for name, factor in (("cpu", self.cpu), ("memory", self.memory)):
            if factor is not None and not 1 <= factor < math.inf:
                raise refusal(
                    f"the limit of {name} cannot be {factor} times the request",
                    field=f"limits.{name}",
                    limit="at least 1",
                    mend="Give a factor of at least 1, or none for no limit.",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule:
    """How a cluster knows the accelerators of one class."""

    resource: str
    """The extended resource of the vendor's device plugin."""
    node_label: str = ACCELERATOR_LABEL
    """The label that tells nodes with different devices of the class apart; empty: named devices are refused there."""
    label_values: Mapping[str, str] = field(default_factory=dict)
    """The label's value by device, such as "A100"; a device that is not named here has its own name as value."""
    topology_label: str = ""
    """The label of the slice topology; only TPUs have one."""


DEFAULT_DEVICES: Final[Mapping[str, DeviceRule]] = {
    "GPU": DeviceRule(resource="nvidia.com/gpu"),
    "AMD_GPU": DeviceRule(resource="amd.com/gpu"),
    "HABANA_GAUDI": DeviceRule(resource="habana.ai/gaudi"),
    "NEURON": DeviceRule(resource="aws.amazon.com/neuron"),
    "TPU": DeviceRule(
        resource="google.com/tpu",
        node_label="cloud.google.com/gke-tpu-accelerator",
        label_values={"V5E": "tpu-v5-lite-podslice", "V5P": "tpu-v5p-slice", "V6E": "tpu-v6e-slice"},
        topology_label="cloud.google.com/gke-tpu-topology",
    ),
}
"""The vendors' resource names; node labels where there is only one way to name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDefaults:
    """What the operator adds to every pod of a cluster."""

    default_image: str
    """Of workers whose image says nothing."""
    worker_endpoints: Sequence[str]
    """`host:port` of every scheduler that listens for workers."""
    replica_endpoints: Sequence[str] = ()
    """`host:port` of every reuse pool that listens for replicas; empty: the same as for workers."""
    worker_authorities: str = ""
    """PEM of the authorities by which a worker judges these endpoints; empty where they have no TLS."""
    image_pull_policy: str = ""
    """Of the primary container; empty: the template's, else what Kubernetes makes of the image's tag."""
    image_pull_secrets: Sequence[str] = ()
    limits: LimitsPolicy = field(default_factory=LimitsPolicy)
    default_requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "100m", "memory": "256Mi"})
    """Requests of a primary container for which nobody asked anything; they get no limit."""
    spot_node_selector: Mapping[str, str] = field(default_factory=dict)
    """Added for interruptible workers. A resource class that selects other nodes by the same label wins."""
    spot_tolerations: Sequence[Mapping[str, Any]] = ()
    devices: Mapping[str, DeviceRule] = field(default_factory=lambda: DEFAULT_DEVICES)
    extra_env: Sequence[Mapping[str, Any]] = ()
    """Further variables of the primary container, as in a pod's spec: references to the operator's Secrets."""
    require_non_root: bool = False
    """Every pod says `runAsNonRoot`; images that run as root do not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSurroundings(PodDefaults):
    """Where a worker's pod is placed, with what the operator adds there."""

    pod_name: str
    namespace: str
    installation: str
    """Tells pods of several installations on one cluster apart."""
    cluster: str
    """Name of the cluster in the operator's configuration."""
    contact_s: float
    """Seconds without an answer after which the worker ends itself."""
    shared_namespace: bool = False
    """Projects share the namespace, so that a template by value may not refer to Secrets."""
