"""What one worker of a task occupies, as admission counts it and as pools are measured against a quota.

Scheduler and reuse pool both have to know it, and must not differ: a task takes the same room whether its worker is
fresh or a replica.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from flyte.spec.quantities import parse_bytes, parse_cpu_millis
from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import Accelerator, TaskSpec

#: Cpu that a task occupies if it names none: a quarter of a core, as such tasks mostly wait for something.
DEFAULT_CPU_MILLIS: Final = 250


class WorkerDemand(NamedTuple):
    """What one worker occupies."""

    cpu_millis: int
    memory_bytes: int = 0
    accelerators: tuple[tuple[str, int], ...] = ()
    """Pairs of an accelerator ("GPU" or "GPU/A100") and how many of it."""


def worker_demand(spec: TaskSpec) -> WorkerDemand:
    """What a worker of the task occupies. Quantities that cannot be read count as none; they are refused elsewhere."""
    resources = spec.resources
    try:
        if spec.HasField("pod_template") and spec.pod_template.pod_template_json:
            return _demand_of_pod(spec)
        cpu = parse_cpu_millis(resources.cpu) if resources.cpu else DEFAULT_CPU_MILLIS
        memory = parse_bytes(resources.memory) if resources.memory else 0
    except (ValueError, PlatformError):
        return WorkerDemand(DEFAULT_CPU_MILLIS)
    return WorkerDemand(cpu, memory, _accelerators(resources.accelerator))


def _demand_of_pod(spec: TaskSpec) -> WorkerDemand:
    """The whole pod counts: its sidecars, and what the template gives the task where the task asks for nothing."""
    # Few tasks have a template, and what judges them takes its time to load.
    from flyteplane.cluster.pods import DEFAULT_DEVICES, pod_demand

    whole = pod_demand(spec.resources, spec.pod_template)
    asked = dict(_accelerators(spec.resources.accelerator))
    if not asked:
        classes = {rule.resource: device_class for device_class, rule in DEFAULT_DEVICES.items()}
        asked = {classes[name]: count for name, count in whole.devices.items() if name in classes}
    return WorkerDemand(whole.cpu_millis or DEFAULT_CPU_MILLIS, whole.memory_bytes, tuple(sorted(asked.items())))


def _accelerators(asked: Accelerator) -> tuple[tuple[str, int], ...]:
    if not asked.quantity:
        return ()
    key = f"{asked.device_class}/{asked.device}" if asked.device else asked.device_class
    return ((key, asked.quantity),)
