"""Where a pod may go: the nodes that template, accelerators, spot market and resource class ask for, put together.

The class's word stands over everything. A template that contradicts it, or the platform's own selection of nodes for
devices, is refused, because a pod can have one value for a label only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flyteplane.cluster.pods.accelerators import Devices
from flyteplane.cluster.pods.refusals import TEMPLATE, forbidden
from flyteplane.cluster.pods.surroundings import PodSurroundings
from flyteplane.cluster.ports import PodConstraints


def with_placement(
    spec: Mapping[str, Any],
    constraints: PodConstraints,
    *,
    devices: Devices,
    interruptible: bool,
    surroundings: PodSurroundings,
) -> dict[str, Any]:
    """The pod's spec with node selector, tolerations and priority class. Raises InvalidArgument for a contradiction."""
    platform = dict(surroundings.spot_node_selector) if interruptible else {}
    platform |= {**devices.node_selector, **constraints.node_selector}
    asked = spec.get("nodeSelector", {})
    for key, value in asked.items():
        if platform.get(key, value) != value:
            raise forbidden(
                f"the template selects nodes by {key}={value}, but these are chosen by {key}={platform[key]}",
                field=f"{TEMPLATE}.spec.nodeSelector[{key}]",
                mend="Leave it out, or ask for resources of a class that has such nodes.",
            )
    additions = {
        "nodeSelector": {**asked, **platform},
        "tolerations": _each_once(
            (
                *spec.get("tolerations", ()),
                *devices.tolerations,
                *(surroundings.spot_tolerations if interruptible else ()),
                *constraints.tolerations,
            )
        ),
        "priorityClassName": constraints.priority_class or spec.get("priorityClassName"),
    }
    return {**spec, **{name: value for name, value in additions.items() if value}}


def _each_once(tolerations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for toleration in map(dict, tolerations):
        if toleration not in kept:
            kept.append(toleration)
    return kept
