"""How a worker fares, judged by its pod: the one place where statuses of Kubernetes become exits and progress.

Pure: the same pod, history and time give the same verdict. The primary container decides; the pod's phase only where
the primary has no status. A pod that merely looks stuck is never an exit, except where Kubernetes itself has given up
or the operator's patience has run out. The table in the documentation names every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flyteplane.cluster.kubernetes.containers import Container, Role, conditions_of, containers_of, node_of
from flyteplane.cluster.kubernetes.endings import exit_of_failed_pod, exit_of_primary, exit_of_sidecar
from flyteplane.cluster.kubernetes.history import PodHistory
from flyteplane.cluster.kubernetes.marks import Pod
from flyteplane.cluster.kubernetes.obstacles import Obstacle, obstacle_of_container, obstacle_of_warning
from flyteplane.cluster.kubernetes.trouble import bounded
from flyteplane.cluster.ports import WorkerExit, WorkerProgress, WorkerStage

#: Characters of what people are told of a pod on its way.
_MAX_PROGRESS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long trouble may last that can pass; seconds."""

    image_s: float = 300.0
    container_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a pod shows about its worker."""

    history: PodHistory
    """To be given to the next judgement."""
    exit: WorkerExit | None = None
    progress: WorkerProgress | None = None
    """Set while the worker cannot be spoken to yet."""
    look_again_s: float | None = None
    """When patience runs out, if nothing changes before."""
    running: bool = False
    """The primary container runs."""


def judge(pod: Pod, *, worker: str, history: PodHistory, patience: Patience, now: float) -> Verdict:
    """How a worker fares whose pod is there.

    Args:
        pod: as the API server last showed it.
        worker: its name.
        history: of the judgement before.
        patience: with trouble that can pass.
        now: monotonic seconds.
    """
    containers = containers_of(pod)
    if (ended := _exit(pod, containers, worker)) is not None:
        return Verdict(history=history, exit=ended)
    primary = next((container for container in containers if container.role is Role.PRIMARY), None)
    if primary is not None and primary.running:
        return Verdict(history=history.without_trouble(), running=True)
    if pod["metadata"].get("deletionTimestamp"):
        return Verdict(history=history)
    obstacle = next(filter(None, (obstacle_of_container(each, history) for each in containers)), None)
    obstacle = obstacle or obstacle_of_warning(history, placed=bool(node_of(pod)), now=now)
    if obstacle is not None:
        return _before_obstacle(pod, obstacle, worker=worker, history=history, patience=patience, now=now)
    return Verdict(history=history.without_trouble(), progress=_progress(pod, worker, history))


def _exit(pod: Pod, containers: list[Container], worker: str) -> WorkerExit | None:
    sidecars = [each for each in containers if each.role is not Role.PRIMARY]
    for container in containers:
        if container.role is Role.PRIMARY and container.terminated is not None:
            return exit_of_primary(pod, container, worker=worker, sidecars=sidecars)
    status = pod.get("status") or {}
    if status.get("reason") and status.get("phase") == "Failed":
        return exit_of_failed_pod(pod, worker=worker)
    for container in sidecars:
        if container.terminated is not None and container.terminated.failed:
            return exit_of_sidecar(pod, container, worker=worker)
    if status.get("phase") in ("Failed", "Succeeded"):
        return exit_of_failed_pod(pod, worker=worker)
    return None


def _before_obstacle(
    pod: Pod, obstacle: Obstacle, *, worker: str, history: PodHistory, patience: Patience, now: float
) -> Verdict:
    """Progress while there is patience, an exit when there is none left."""
    history = history.in_trouble(obstacle.key, now=now)
    waited = now - history.since
    allowed = {"": float("inf"), "none": 0.0, "container": patience.container_s, "image": patience.image_s}
    left = allowed[obstacle.patience] - waited
    if left <= 0:
        after = f" (for {waited:.0f} s)" if waited else ""
        return Verdict(
            history=history,
            exit=WorkerExit(
                name=worker, reason=obstacle.exit, known=True, message=f"{bounded(obstacle.message)}{after}"
            ),
        )
    progress = WorkerProgress(
        name=worker,
        stage=WorkerStage.STARTING if node_of(pod) else WorkerStage.WAITING,
        reason=obstacle.reason,
        message=bounded(obstacle.message, _MAX_PROGRESS),
        node=node_of(pod),
    )
    return Verdict(history=history, progress=progress, look_again_s=left if left != float("inf") else None)


def _progress(pod: Pod, worker: str, history: PodHistory) -> WorkerProgress:
    node = node_of(pod)
    if node:
        return WorkerProgress(name=worker, stage=WorkerStage.STARTING, node=node)
    for condition in conditions_of(pod):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason, message = str(condition.get("reason") or ""), str(condition.get("message") or "")
            message = bounded(message, _MAX_PROGRESS)
            return WorkerProgress(name=worker, stage=WorkerStage.WAITING, reason=reason, message=message)
    return WorkerProgress(
        name=worker, stage=WorkerStage.WAITING, reason=history.warning_reason, message=history.warning_message
    )
