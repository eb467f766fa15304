"""Labels and annotations: what a pod is to the platform, to people, and to tools that know Kubernetes' usual labels.

The platform's own keys begin with `flyteplane.dev/` and cannot be set by users: selectors and adoption rely on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.names import NameKind, check_name
from flyte.spec.pod_metadata import MAX_ANNOTATIONS_BYTES, is_platform_key
from flyte.spec.pod_metadata import PLATFORM_DOMAIN as DOMAIN
from flyteplane.cluster.pods.names import digest_of, label_value
from flyteplane.cluster.pods.refusals import forbidden, refusal, refusing

if TYPE_CHECKING:
    from flyteplane.cluster.ports import WorkerSpec

INSTALLATION_LABEL: Final = f"{DOMAIN}/installation"
WORKER_LABEL: Final = f"{DOMAIN}/worker"
"""Digest of the worker's name; its annotation of the same key holds the name itself."""
PRIMARY_ANNOTATION: Final = f"{DOMAIN}/primary-container"
"""Name of the container that is the worker; all others are sidecars."""

COMPONENT_LABEL: Final = f"{DOMAIN}/component"
"""`worker` or `replica`."""
REPLICA: Final = "replica"

_STAY_PUT: Final = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}


def worker_labels(spec: WorkerSpec, installation: str) -> dict[str, str]:
    """The platform's labels of a worker's pod. Values that Kubernetes would refuse are shortened and made unique."""
    component = REPLICA if spec.replica else "worker"
    own = {f"{DOMAIN}/{key}": label_value(value) for key, value in spec.labels.items()}
    return {
        "app.kubernetes.io/name": f"flyteplane-{component}",
        "app.kubernetes.io/instance": label_value(installation),
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "flyteplane",
        "app.kubernetes.io/managed-by": "flyteplane",
        **own,
        INSTALLATION_LABEL: label_value(installation),
        COMPONENT_LABEL: component,
        WORKER_LABEL: digest_of(spec.name),
    }


def worker_annotations(spec: WorkerSpec, *, primary: str) -> dict[str, str]:
    """The platform's annotations: the worker's full name and container, and the values that labels had to shorten."""
    shortened = {f"{DOMAIN}/{key}": value for key, value in spec.labels.items() if label_value(value) != value}
    return {**shortened, WORKER_LABEL: spec.name, PRIMARY_ANNOTATION: primary}


def default_annotations(*, interruptible: bool) -> dict[str, str]:
    """Annotations that users may set otherwise: no autoscaler moves a worker that does not expect it."""
    return {} if interruptible else dict(_STAY_PUT)


def worker_name_of(pod: Mapping[str, Any]) -> str:
    """The worker that a pod was made for; empty for a pod that is none of ours."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(WORKER_LABEL, ""))


def is_replica(pod: Mapping[str, Any]) -> bool:
    """Whether a pod was made for a replica of a pool, which the reuse pool answers for, and not the scheduler."""
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return labels.get(COMPONENT_LABEL) == REPLICA


def refuse_labels(labels: Mapping[str, Any], *, field: str) -> None:
    """Raises InvalidArgument for labels that Kubernetes refuses or that only the platform sets."""
    for key, value in labels.items():
        _refuse_key(key, field=field)
        with refusing(field=field, mend="Use up to 63 letters, digits, '-', '_' and '.', as Kubernetes asks."):
            check_name(value, kind=NameKind.LABEL_VALUE, field=f"{field}[{key}]")


def refuse_annotations(annotations: Mapping[str, Any], *, field: str) -> None:
    """Raises InvalidArgument for annotations that Kubernetes refuses or that only the platform sets."""
    for key, value in annotations.items():
        _refuse_key(key, field=field)
        if not isinstance(value, str):
            raise refusal(f"{field}[{key}] is {value!r}, no text", field=field, mend="Put the value in quotes.")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MAX_ANNOTATIONS_BYTES:
        raise refusal(
            f"{field} weigh {size} bytes",
            field=field,
            limit=f"{MAX_ANNOTATIONS_BYTES} bytes",
            mend="Keep large values in a file of the code bundle.",
        )


def _refuse_key(key: object, *, field: str) -> None:
    with refusing(field=field, mend="Write it as 'name' or 'example.com/name'."):
        text = check_name(key, kind=NameKind.LABEL_KEY, field=f"{field} key")
    if is_platform_key(text):
        raise forbidden(
            f"{field}: {text} is set by the platform only", field=field, mend=f"Use a key outside of {DOMAIN}/."
        )
