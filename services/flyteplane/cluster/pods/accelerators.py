"""Accelerators: what a pod says so that it gets the devices that a task asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flyteplane.cluster.pods.refusals import refusal
from flyteplane.cluster.pods.surroundings import DeviceRule

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import Accelerator

_FIELD: Final = "resources.gpu"
_MIG_PREFIX: Final = "nvidia.com/mig-"
_CHIPS_OF_ONE_HOST: Final = {"V5P": 4}
#: Of every other generation of TPUs.
_USUAL_CHIPS_OF_ONE_HOST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What one request for accelerators adds to a pod."""

    amounts: Mapping[str, str] = field(default_factory=dict)
    """Extended resources of the primary container, request and limit at once."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()


def devices_of(asked: Accelerator, rules: Mapping[str, DeviceRule]) -> Devices:
    """What a request for accelerators adds. Raises InvalidArgument for devices that the cluster cannot tell apart."""
    if not asked.quantity:
        return Devices()
    rule = rules.get(asked.device_class)
    if rule is None:
        raise refusal(
            f"this cluster knows no accelerators of the class {asked.device_class!r}",
            field=_FIELD,
            mend=f"Ask for one of: {', '.join(sorted(rules)) or 'none'}.",
            reason="NOT_ON_THIS_CLUSTER",
        )
    resource, count = rule.resource, asked.quantity
    if asked.partition and asked.device_class == "GPU":
        resource = f"{_MIG_PREFIX}{asked.partition}"
    elif asked.partition and asked.device_class == "TPU":
        count = _chips(asked.device, asked.partition)
    return Devices(
        amounts={resource: str(count)},
        node_selector=_selector(asked, rule),
        tolerations=({"key": rule.resource, "operator": "Exists", "effect": "NoSchedule"},),
    )


def _selector(asked: Accelerator, rule: DeviceRule) -> dict[str, str]:
    selector: dict[str, str] = {}
    if asked.device and not rule.node_label:
        raise refusal(
            f"the nodes of this cluster do not tell {asked.device} from other devices of {asked.device_class}",
            field=_FIELD,
            mend="Ask for a number of devices without naming one.",
            reason="NOT_ON_THIS_CLUSTER",
        )
    if asked.device:
        selector[rule.node_label] = rule.label_values.get(asked.device, asked.device)
    if asked.partition and rule.topology_label:
        selector[rule.topology_label] = asked.partition
    return selector


def _chips(device: str, topology: str) -> int:
    """The chips of a TPU slice that lies in one host; a pod cannot have more."""
    sides = topology.split("x")
    if not all(side.isdecimal() for side in sides):
        raise refusal(
            f"{topology!r} is no topology of a TPU slice", field=_FIELD, mend="Write it such as '2x2' or '2x2x1'."
        )
    chips, most = math.prod(map(int, sides)), _CHIPS_OF_ONE_HOST.get(device, _USUAL_CHIPS_OF_ONE_HOST)
    if not 0 < chips <= most:
        raise refusal(
            f"a {device or 'TPU'} slice of {topology} has {chips} chips, on several hosts; a task has one pod",
            field=_FIELD,
            limit=f"{most} chips",
            mend="Ask for a smaller slice.",
        )
    return chips
