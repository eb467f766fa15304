"""What a cluster is told of the worker of an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte.spec.quantities import parse_bytes
from flyteplane.cluster.ports import PodRequest, WorkerSpec

if TYPE_CHECKING:
    from flyteplane.cluster.ports import PodConstraints
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.clients.fresh_worker import FreshWorker

#: Attempts on nodes that can be taken away, before one is placed on a node that stays.
INTERRUPTIONS: Final = 3


def worker_spec(worker: FreshWorker, constraints: PodConstraints) -> WorkerSpec:
    """The worker of an attempt on its cluster."""
    action = worker.action
    spec, run = action.task.spec, action.run
    memory = spec.resources.memory_limit or spec.resources.memory
    outlives = worker.cluster.outlives_owner
    return WorkerSpec(
        name=worker.name,
        python_packages=tuple(spec.image.python_packages),
        env={**spec.image.env, **run.settings.env, **spec.env},
        cpu_millis=action.task.demand.cpu_millis if spec.resources.cpu else 0,
        memory_bytes=parse_bytes(memory) if memory else 0,
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


def _pod_request(action: Action, constraints: PodConstraints) -> PodRequest:
    spec, settings = action.task.spec, action.run.settings
    return PodRequest(
        image=spec.image,
        resources=spec.resources,
        template=spec.pod_template if spec.HasField("pod_template") else None,
        service_account=spec.service_account or settings.service_account,
        labels=settings.labels,
        annotations=settings.annotations,
        interruptible=_may_be_interrupted(action),
        secret_files=any(secret.mount_path for secret in spec.secrets),
        constraints=constraints,
    )


def _may_be_interrupted(action: Action) -> bool:
    """The last attempt of an interruptible task is placed where nothing takes it away: the last retry that its budget
    allows, and whatever comes after some attempts that the infrastructure lost."""
    settings, policy, state = action.run.settings, action.task.policy, action.state
    asked = settings.interruptible if settings.HasField("interruptible") else action.task.spec.interruptible
    last_retry = bool(policy.retries) and state.task_failures >= policy.retries
    return asked and not last_retry and state.system_failures < INTERRUPTIONS
