"""How a worker ended, read from what is left of its pod. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from flyteplane.cluster.kubernetes.containers import (
    Container,
    Ending,
    Role,
    conditions_of,
    containers_of,
    deletion_asked_at,
    node_of,
)
from flyteplane.cluster.kubernetes.marks import Pod
from flyteplane.cluster.kubernetes.trouble import bounded
from flyteplane.cluster.ports import ExitReason, WorkerExit

#: Reasons of a failed pod's status, by what they mean. All others say nothing that the containers do not say.
_POD_REASONS: Final[Mapping[str, ExitReason]] = {
    "Evicted": ExitReason.EVICTED,
    "Preempting": ExitReason.PREEMPTED,
    "Preempted": ExitReason.PREEMPTED,
    "NodeLost": ExitReason.NODE_LOST,
    "NodeShutdown": ExitReason.NODE_LOST,
    "Shutdown": ExitReason.NODE_LOST,
    "Terminated": ExitReason.NODE_LOST,
    # The node took the pod in after all its room was gone, or its labels had changed.
    "OutOfcpu": ExitReason.EVICTED,
    "OutOfmemory": ExitReason.EVICTED,
    "OutOfpods": ExitReason.EVICTED,
    "OutOfephemeral-storage": ExitReason.EVICTED,
    "NodeAffinity": ExitReason.EVICTED,
    "UnexpectedAdmissionError": ExitReason.EVICTED,
}
_OVER_ITS_DISK: Final = re.compile(
    r"ephemeral local storage usage exceeds"
    r"|exceeded its local ephemeral storage limit"
    r"|Usage of EmptyDir volume .* exceeds"
)
#: Reasons of the condition DisruptionTarget.
_DISRUPTIONS: Final[Mapping[str, ExitReason]] = {
    "PreemptionByScheduler": ExitReason.PREEMPTED,
    "PreemptionByKubeScheduler": ExitReason.PREEMPTED,
    "DeletionByTaintManager": ExitReason.NODE_LOST,
    "DeletionByPodGC": ExitReason.NODE_LOST,
    "EvictionByEvictionAPI": ExitReason.EVICTED,
    "TerminationByKubelet": ExitReason.EVICTED,
}
#: Reasons of events about a pod that say why it is deleted.
_DELETING_EVENTS: Final[Mapping[str, ExitReason]] = {
    "TaintManagerEviction": ExitReason.NODE_LOST,
    "NodeNotReady": ExitReason.NODE_LOST,
    "Preempted": ExitReason.PREEMPTED,
    "Evicted": ExitReason.EVICTED,
}
#: The runtime could not even start the program.
_NEVER_STARTED: Final = frozenset({"StartError", "ContainerCannotRun"})


def exit_of_primary(pod: Pod, primary: Container, *, worker: str, sidecars: Sequence[Container] = ()) -> WorkerExit:
    """The end of a worker whose primary container has ended."""
    ending = primary.terminated
    assert ending is not None
    if ending.failed and (taken := _taken_away(pod, ending)) is not None:
        reason, why = taken
    elif ending.out_of_memory:
        reason, why = ExitReason.OUT_OF_MEMORY, ""
    elif ending.reason in _NEVER_STARTED:
        reason, why = ExitReason.CONTAINER_REFUSED, ""
    else:
        reason, why = ExitReason.ENDED, ""
    parts = [why, _described(primary) if ending.failed else ""]
    if ending.failed:
        parts += [_described(each) for each in sidecars if each.terminated is not None and each.terminated.failed]
    return WorkerExit(
        name=worker,
        reason=reason,
        exit_code=ending.code,
        signal=ending.signal,
        out_of_memory=ending.out_of_memory,
        message=bounded("; ".join(part for part in parts if part)),
    )


def _reason_of(status: Mapping[str, Any]) -> ExitReason | None:
    """What the pod's own status says. A node also evicts a pod that passed its own limit of disk, which would happen to
    it anywhere; its reason is the same as that of a node in need, and only its words tell the two apart."""
    reason = _POD_REASONS.get(str(status.get("reason")))
    if reason is ExitReason.EVICTED and _OVER_ITS_DISK.search(str(status.get("message") or "")):
        return ExitReason.OUT_OF_DISK
    return reason


def _taken_away(pod: Pod, ending: Ending) -> tuple[ExitReason, str] | None:
    """Who ended it, if it was not the worker itself: the pod's status, a disruption, or a deletion before its end."""
    status = pod.get("status") or {}
    if (reason := _reason_of(status)) is not None:
        return reason, str(status.get("message") or "")
    asked_at = deletion_asked_at(pod)
    for condition in conditions_of(pod):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            reason = _DISRUPTIONS.get(str(condition.get("reason")), ExitReason.EVICTED)
            return reason, str(condition.get("message") or "")
    if asked_at is not None and (not ending.finished_at or ending.finished_at >= asked_at):
        return ExitReason.POD_DELETED, "the pod was deleted"
    return None


def exit_of_sidecar(pod: Pod, container: Container, *, worker: str) -> WorkerExit:
    """The end of a worker by a container beside it."""
    ending = container.terminated
    assert ending is not None
    if (taken := _taken_away(pod, ending)) is not None:
        return WorkerExit(name=worker, reason=taken[0], message=taken[1])
    return WorkerExit(name=worker, reason=ExitReason.SIDECAR_FAILED, message=bounded(_described(container)))


def exit_of_failed_pod(pod: Pod, *, worker: str) -> WorkerExit:
    """The end of a worker whose pod has ended and says nothing of the primary container."""
    status = pod.get("status") or {}
    said = str(status.get("message") or status.get("reason") or "")
    if (reason := _reason_of(status)) is not None:
        return WorkerExit(name=worker, reason=reason, known=False, message=bounded(said))
    message = f"the pod has ended ({status.get('phase')}) without a status of its container"
    message = f"{message}: {said}" if said else message
    return WorkerExit(name=worker, reason=ExitReason.LOST, known=False, message=bounded(message))


def exit_of_vanished(pod: Pod, *, worker: str) -> WorkerExit:
    """The end of a worker whose pod is gone, by what was last seen of it."""
    for container in containers_of(pod):
        if container.role is Role.PRIMARY and container.terminated is not None:
            return exit_of_primary(pod, container, worker=worker)
    status = pod.get("status") or {}
    reason = _reason_of(status)
    for condition in conditions_of(pod):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            reason = reason or _DISRUPTIONS.get(str(condition.get("reason")), ExitReason.EVICTED)
    message = str(status.get("message") or "") if reason else "the pod was deleted"
    return WorkerExit(name=worker, reason=reason or ExitReason.POD_DELETED, known=False, message=bounded(message))


def stopped(ended: WorkerExit, pod: Pod) -> WorkerExit:
    """The end of a worker that was asked to stop: that is its reason, unless it had ended before it was asked."""
    asked_at = deletion_asked_at(pod)
    for container in containers_of(pod):
        if container.role is Role.PRIMARY and container.terminated is not None:
            finished_at = container.terminated.finished_at
            if asked_at is None or (finished_at and finished_at < asked_at):
                return ended
    return replace(ended, reason=ExitReason.STOPPED, known=True, message="it was stopped")


def explained(
    ended: WorkerExit, *, pod: Pod, events: Sequence[Mapping[str, Any]], node: Mapping[str, Any] | None
) -> WorkerExit:
    """The end of a deleted pod with what its events and its node say about it.

    Args:
        ended: with `POD_DELETED`.
        pod: as it was last seen.
        events: about the pod.
        node: its node; empty if there is no such node any more, None if nothing is known of it.
    """
    for event in events:
        if (reason := _DELETING_EVENTS.get(str(event.get("reason")))) is not None:
            return replace(ended, reason=reason, message=bounded(str(event.get("message") or ended.message)))
    if node is not None and not _ready(node):
        what = "is not ready" if node else "is gone"
        return replace(ended, reason=ExitReason.NODE_LOST, message=f"its node {node_of(pod)} {what}")
    return ended


def _ready(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _described(container: Container) -> str:
    ending = container.terminated
    assert ending is not None
    how = f"was ended by signal {ending.signal}" if ending.signal else f"ended with code {ending.code}"
    reason = "" if ending.reason in ("", "Error", "Completed") else f" ({ending.reason})"
    # What it wrote begins on a line of its own, for whoever must not repeat it.
    message = f":\n{ending.message.strip()}" if ending.message.strip() else ""
    return f"{container.role} {container.name} {how}{reason}{message}"
