"""What a pod says of itself: whose worker it is, and which of its containers is the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from flyte.spec.pod_template import PRIMARY_CONTAINER_DEFAULT_NAME
from flyteplane.cluster.pods.labels import INSTALLATION_LABEL, PRIMARY_ANNOTATION
from flyteplane.cluster.pods.names import label_value

Pod: TypeAlias = Mapping[str, Any]
"""A V1Pod as the API server writes it."""

PodKey: TypeAlias = tuple[str, str]
"""Namespace and name of a pod."""


def belongs_to(pod: Pod, *, installation: str) -> bool:
    """Whether a pod carries the mark of this owner."""
    return str((pod["metadata"].get("labels") or {}).get(INSTALLATION_LABEL, "")) == label_value(installation)


def primary_of(pod: Pod) -> str:
    """The name of the container that is the worker."""
    annotations = pod["metadata"].get("annotations") or {}
    names = [container["name"] for container in pod.get("spec", {}).get("containers", ())]
    wanted = str(annotations.get(PRIMARY_ANNOTATION, PRIMARY_CONTAINER_DEFAULT_NAME))
    return wanted if wanted in names or not names else str(names[0])


def key_of(pod: Pod) -> PodKey:
    """Namespace and name."""
    return str(pod["metadata"].get("namespace", "")), str(pod["metadata"]["name"])


def uid_of(pod: Pod) -> str:
    """Identity of this very pod; a pod created anew under the same name has another."""
    return str(pod["metadata"].get("uid", ""))


def pods_path(namespace: str, name: str = "", part: str = "") -> str:
    """Path of pods in the API; without a namespace those of all."""
    scope = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    return "/".join(piece for piece in (scope, name, part) if piece)
