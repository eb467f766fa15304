"""How much of a cluster a pod takes: the task's own request, and what its template asks for besides.

A resource class and its quota bound what an attempt occupies. Without this a sidecar, or a primary container that a
template gives the resources that the task leaves open, would pass them unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.quantities import parse_bytes, parse_cpu_millis, parse_quantity
from flyteplane.cluster.pods.accelerators import devices_of
from flyteplane.cluster.pods.resources import primary_resources, refuse_resources
from flyteplane.cluster.pods.surroundings import DEFAULT_DEVICES, DeviceRule, LimitsPolicy
from flyteplane.cluster.pods.template import read_template

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import PodTemplate, ResourceRequest

_UNLIMITED: Final = LimitsPolicy(cpu=None, memory=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDemand:
    """What all containers of a pod request together."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)
    """Accelerators by the name of their extended resource, such as "nvidia.com/gpu"."""


def pod_demand(
    resources: ResourceRequest,
    template: PodTemplate | None = None,
    *,
    named_template: Mapping[str, Any] | None = None,
    devices: Mapping[str, DeviceRule] | None = None,
) -> PodDemand:
    """What the pod of a task requests, as Kubernetes counts: the sum of its containers, or the largest init container.

    A template by name counts as none unless `named_template` has it.

    Raises:
        InvalidArgument: the template is none, or a quantity does not parse.
    """
    refuse_resources(resources)
    by_value = template is not None and not template.name
    parsed = read_template(template if by_value or named_template is not None else None, named=named_template)
    asked = devices_of(resources.accelerator, DEFAULT_DEVICES if devices is None else devices).amounts
    containers = {container["name"]: container.get("resources", {}) for container in parsed.spec.get("containers", ())}
    containers[parsed.primary] = primary_resources(
        resources, template=containers.get(parsed.primary, {}), devices=asked, policy=_UNLIMITED, defaults={}
    )
    running = sum((_requests(found) for found in containers.values()), Counter[str]())
    for container in parsed.spec.get("initContainers", ()):
        running |= _requests(container.get("resources", {}))
    return PodDemand(
        cpu_millis=running.pop("cpu", 0),
        memory_bytes=running.pop("memory", 0),
        devices={name: count for name, count in sorted(running.items()) if "/" in name},
    )


def _requests(resources: Mapping[str, Any]) -> Counter[str]:
    """Amounts by resource; a limit without a request is a request as well."""
    texts = {**resources.get("limits", {}), **resources.get("requests", {})}
    return Counter({name: _amount(name, text) for name, text in texts.items()})


def _amount(name: str, text: Any) -> int:
    if name == "cpu":
        return parse_cpu_millis(text)
    return parse_bytes(text) if name == "memory" else int(parse_quantity(text, field=name))
