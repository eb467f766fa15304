"""What scheduler and reuse pool ask a cluster for, read from a task version and its resource class.

Written once for both: a task gets the same worker whether it is fresh or a replica.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flyte.spec.problems import InvalidSetting
from flyte.spec.quantities import parse_bytes, parse_cpu_millis
from flyteplane.cluster.ports import PodConstraints, PodRequest
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import ResourceRequest, TaskSpec


class PodClass(Protocol):
    """What a resource class says of pods; the scheduler's value is one, and the message of the same name."""

    @property
    def node_selector(self) -> Mapping[str, str]: ...
    @property
    def tolerations_json(self) -> str: ...
    @property
    def priority_class(self) -> str: ...
    @property
    def allow_host_paths(self) -> bool: ...
    @property
    def allow_privileged(self) -> bool: ...
    @property
    def allow_service_account_token(self) -> bool: ...
    @property
    def service_accounts(self) -> Sequence[str]: ...


class WorkerLimits(NamedTuple):
    """What a worker on this machine may use; 0: no limit of its own."""

    cpu_millis: int
    memory_bytes: int


def constraints_of(shape: PodClass | None) -> PodConstraints:
    """What a class asks of pods, and lets them do; the strictest for none. Its tolerations were checked with it."""
    if shape is None:
        return PodConstraints()
    return PodConstraints(
        node_selector=dict(shape.node_selector),
        tolerations=json.loads(shape.tolerations_json) if shape.tolerations_json else (),
        priority_class=shape.priority_class,
        allow_host_paths=shape.allow_host_paths,
        allow_privileged=shape.allow_privileged,
        allow_service_account_token=shape.allow_service_account_token,
        service_accounts=tuple(shape.service_accounts),
    )


def pod_request(
    spec: TaskSpec,
    *,
    constraints: PodConstraints,
    interruptible: bool,
    service_account: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> PodRequest:
    """What a worker of the task needs where it is a pod. `service_account` counts if the task names none."""
    return PodRequest(
        image=spec.image,
        resources=spec.resources,
        template=spec.pod_template if spec.HasField("pod_template") else None,
        service_account=spec.service_account or service_account,
        labels=labels or {},
        annotations=annotations or {},
        interruptible=interruptible,
        secret_files=any(secret.mount_path for secret in spec.secrets),
        constraints=constraints,
    )


def worker_limits(resources: ResourceRequest) -> WorkerLimits:
    """What a process may use of this machine: the limits, else the requests. Raises InvalidArgument."""
    cpu, memory = resources.cpu_limit or resources.cpu, resources.memory_limit or resources.memory
    try:
        return WorkerLimits(parse_cpu_millis(cpu) if cpu else 0, parse_bytes(memory) if memory else 0)
    except InvalidSetting as error:
        raise InvalidArgument(str(error), field="resources") from error
