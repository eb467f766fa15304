"""What a cluster is told of the worker of an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteplane.cluster.ports import WorkerSpec
from flyteplane.cluster.python_installs import installs_of
from flyteplane.cluster.requests import pod_request, worker_limits

if TYPE_CHECKING:
    from flyteplane.cluster.ports import PodConstraints, PodRequest
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.clients.fresh_worker import FreshWorker

#: Attempts on nodes that can be taken away, before one is placed on a node that stays.
INTERRUPTIONS: Final = 3


def worker_spec(worker: FreshWorker, constraints: PodConstraints) -> WorkerSpec:
    """The worker of an attempt on its cluster."""
    action = worker.action
    spec, run = action.task.spec, action.run
    limits, outlives = worker_limits(spec.resources), worker.cluster.outlives_owner
    return WorkerSpec(
        name=worker.name,
        python_installs=installs_of(spec.image),
        # In the order in which the worker itself lays them over each other.
        env={**spec.image.env, **run.settings.env, **spec.env},
        cpu_millis=limits.cpu_millis,
        memory_bytes=limits.memory_bytes,
        labels={
            "project": run.key.project,
            "domain": run.key.domain,
            "run": run.key.name,
            "action": action.name,
            "attempt": str(worker.attempt),
        },
        token=worker.token if outlives else "",
        pod=_pod_request(action, constraints) if outlives else None,
    )


def may_be_interrupted(action: Action) -> bool:
    """The last attempt of an interruptible task is placed where nothing takes it away: the last retry that its budget
    allows, and whatever comes after some attempts that the infrastructure lost."""
    settings, policy, state = action.run.settings, action.task.policy, action.state
    asked = settings.interruptible if settings.HasField("interruptible") else action.task.spec.interruptible
    last_retry = bool(policy.retries) and state.task_failures >= policy.retries
    return asked and not last_retry and state.system_failures < INTERRUPTIONS


def _pod_request(action: Action, constraints: PodConstraints) -> PodRequest:
    settings = action.run.settings
    return pod_request(
        action.task.spec,
        constraints=constraints,
        interruptible=may_be_interrupted(action),
        service_account=settings.service_account,
        labels=settings.labels,
        annotations=settings.annotations,
    )
