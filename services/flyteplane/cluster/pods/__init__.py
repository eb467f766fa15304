"""The pods of workers, as pure decisions: `build_pod` makes the body of one, `refuse_unfit_pod` judges a task."""

from flyteplane.cluster.pods.builder import COMMAND, build_pod
from flyteplane.cluster.pods.demand import PodDemand, pod_demand
from flyteplane.cluster.pods.fitness import refuse_unfit_pod
from flyteplane.cluster.pods.labels import (
    COMPONENT_LABEL,
    INSTALLATION_LABEL,
    PRIMARY_ANNOTATION,
    WORKER_LABEL,
    worker_labels,
    worker_name_of,
)
from flyteplane.cluster.pods.names import namespace_of, pod_name, shares_namespaces
from flyteplane.cluster.pods.surroundings import DEFAULT_DEVICES, DeviceRule, LimitsPolicy, PodSurroundings

__all__ = [
    "COMMAND",
    "COMPONENT_LABEL",
    "DEFAULT_DEVICES",
    "INSTALLATION_LABEL",
    "PRIMARY_ANNOTATION",
    "WORKER_LABEL",
    "DeviceRule",
    "LimitsPolicy",
    "PodDemand",
    "PodSurroundings",
    "build_pod",
    "namespace_of",
    "pod_demand",
    "pod_name",
    "refuse_unfit_pod",
    "shares_namespaces",
    "worker_labels",
    "worker_name_of",
]
