"""Requests and limits of the primary container.

What the task says of a resource replaces what the template says of the same resource, request and limit together, so
that the two never contradict each other. A request without a limit gets the limit of the operator's policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.quantities import format_bytes, format_cpu_millis, parse_bytes, parse_cpu_millis
from flyteplane.cluster.pods.refusals import refusal, refusing
from flyteplane.cluster.pods.surroundings import LimitsPolicy

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import ResourceRequest

DISK: Final = "ephemeral-storage"
_MEND: Final = "Write a quantity such as 1, '500m' or '2Gi'; a pair is (request, limit)."


def refuse_resources(asked: ResourceRequest) -> None:
    """Raises InvalidArgument for quantities that do not parse, are negative, or contradict each other."""
    with refusing(field="resources", mend=_MEND):
        cpu = [parse_cpu_millis(text, field="resources.cpu") for text in (asked.cpu, asked.cpu_limit) if text]
        memory = [parse_bytes(text, field="resources.memory") for text in (asked.memory, asked.memory_limit) if text]
        if asked.disk:
            parse_bytes(asked.disk, field="resources.disk")
        shared = (
            parse_bytes(asked.shared_memory, field="resources.shm") if asked.shared_memory not in ("", "auto") else 0
        )
    for name, amounts in (("cpu", cpu), ("memory", memory)):
        if amounts and amounts[0] > amounts[-1]:
            raise refusal(
                f"the request of {name} is above its limit",
                field=f"resources.{name}",
                limit=getattr(asked, f"{name}_limit"),
                mend="Write (request, limit).",
            )
    if asked.memory_limit and shared > memory[-1]:
        raise refusal(
            f"/dev/shm of {asked.shared_memory} is counted as memory and cannot be larger than it",
            field="resources.shm",
            limit=asked.memory_limit,
            mend="Raise the memory or make shm smaller, or 'auto'.",
        )


def primary_resources(
    asked: ResourceRequest,
    *,
    template: Mapping[str, Any],
    devices: Mapping[str, str],
    policy: LimitsPolicy,
    defaults: Mapping[str, str],
) -> dict[str, Any]:
    """The `resources` of the primary container. `devices`: extended resources; `defaults`: requests if nobody asks."""
    requests, limits = dict(template.get("requests", {})), dict(template.get("limits", {}))
    for name, request, limit in (
        ("cpu", asked.cpu, asked.cpu_limit),
        ("memory", asked.memory, asked.memory_limit),
        (DISK, asked.disk, asked.disk),
    ):
        if request or limit:
            _replace(requests, name, request or limit)
            _replace(limits, name, limit)
    _add_policy_limits(requests, limits, policy=policy)
    for name, request in defaults.items():
        if name not in requests and name not in limits:
            requests[name] = request
    merged = {"requests": {**requests, **devices}, "limits": {**limits, **devices}}
    rest = {key: value for key, value in template.items() if key not in merged}
    return {**rest, **{key: value for key, value in merged.items() if value}}


def _replace(amounts: dict[str, Any], name: str, amount: str) -> None:
    if amount:
        amounts[name] = amount
    else:
        amounts.pop(name, None)


def _add_policy_limits(requests: Mapping[str, Any], limits: dict[str, Any], *, policy: LimitsPolicy) -> None:
    if "cpu" in requests and "cpu" not in limits and policy.cpu is not None:
        limit = _times(requests["cpu"], policy.cpu, parse=parse_cpu_millis, show=format_cpu_millis)
        least = policy.least_cpu_millis
        limits["cpu"] = limit if parse_cpu_millis(limit) >= least else format_cpu_millis(least)
    if "memory" in requests and "memory" not in limits and policy.memory is not None:
        limits["memory"] = _times(requests["memory"], policy.memory, parse=parse_bytes, show=format_bytes)


def _times(request: Any, factor: float, *, parse: Callable[[Any], int], show: Callable[[int], str]) -> Any:
    if factor == 1:
        return request
    return show(round(parse(request) * factor))
