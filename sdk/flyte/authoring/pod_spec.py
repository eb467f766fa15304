"""A pod spec of resources, for plugins that describe pods of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyte.spec.pod_template import PRIMARY_CONTAINER_DEFAULT_NAME

if TYPE_CHECKING:
    from flyte.spec.resources import Resources

NVIDIA_RESOURCE = "nvidia.com/gpu"


def pod_spec_from_resources(
    primary_container_name: str = PRIMARY_CONTAINER_DEFAULT_NAME,
    requests: Resources | None = None,
    limits: Resources | None = None,
    k8s_gpu_resource_key: str = NVIDIA_RESOURCE,
) -> Any:
    """Return a `V1PodSpec` with one container that has these requests and limits; one alone stands for both.

    Raises ImportError without the package `kubernetes`.
    """
    from kubernetes.client import V1Container, V1PodSpec, V1ResourceRequirements

    asked = _amounts(requests or limits, k8s_gpu_resource_key)
    bound = _amounts(limits or requests, k8s_gpu_resource_key)
    container = V1Container(name=primary_container_name, resources=V1ResourceRequirements(requests=asked, limits=bound))
    return V1PodSpec(containers=[container])


def _amounts(resources: Resources | None, gpu_key: str) -> dict[str, str]:
    if resources is None:
        return {}
    device = resources.get_device()
    amounts = {
        "cpu": _first(resources.cpu),
        "memory": _first(resources.memory),
        "ephemeral-storage": resources.disk,
        gpu_key: device.quantity if device is not None else None,
    }
    return {name: str(amount) for name, amount in amounts.items() if amount is not None}


def _first(amount: Any) -> Any:
    return amount[0] if isinstance(amount, tuple) else amount
