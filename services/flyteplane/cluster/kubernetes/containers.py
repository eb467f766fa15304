"""Containers of a pod as its status shows them: what is needed of them to judge how a worker fares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from flyteplane.cluster.kubernetes.marks import Pod, primary_of

#: Exit codes above it are signals, by the convention of shells and container runtimes.
_SIGNALS_FROM: Final = 128
#: Signals that end processes in practice; other codes above 128 are codes that a program chose.
_FATAL_SIGNALS: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 24, 25})


class Role(StrEnum):
    """What a container is for."""

    PRIMARY = "container"
    SIDECAR = "sidecar"
    INIT = "init container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container's state."""

    name: str
    role: Role
    waiting_reason: str = ""
    waiting_message: str = ""
    running: bool = False
    terminated: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a container ended."""

    code: int
    """Exit code; 0 if a signal ended it."""
    signal: int
    reason: str
    message: str
    finished_at: float
    """Seconds since the epoch; 0 if it is not known."""

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than with code 0."""
        return bool(self.code or self.signal or self.out_of_memory)

    @property
    def out_of_memory(self) -> bool:
        """Whether it was killed for its memory."""
        return self.reason == "OOMKilled"


def containers_of(pod: Pod) -> list[Container]:
    """All containers that the status knows of: the primary first, then init containers, then sidecars."""
    status, primary = pod.get("status") or {}, primary_of(pod)
    inits = [_container(state, Role.INIT) for state in status.get("initContainerStatuses") or ()]
    mains = [
        _container(state, Role.PRIMARY if state["name"] == primary else Role.SIDECAR)
        for state in status.get("containerStatuses") or ()
    ]
    return sorted([*inits, *mains], key=lambda container: container.role is not Role.PRIMARY)


def _container(status: Mapping[str, Any], role: Role) -> Container:
    state = status.get("state") or {}
    waiting, terminated = state.get("waiting") or {}, state.get("terminated")
    return Container(
        name=status["name"],
        role=role,
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        running="running" in state,
        terminated=None if terminated is None else _ending(terminated),
    )


def _ending(terminated: Mapping[str, Any]) -> Ending:
    code, signal = int(terminated.get("exitCode", 0)), int(terminated.get("signal") or 0)
    if not signal and code - _SIGNALS_FROM in _FATAL_SIGNALS:
        signal = code - _SIGNALS_FROM
    return Ending(
        code=0 if signal else code,
        signal=signal,
        reason=terminated.get("reason", ""),
        message=terminated.get("message", ""),
        finished_at=seconds_of(terminated.get("finishedAt")),
    )


def seconds_of(moment: str | None) -> float:
    """A time as Kubernetes writes it, in seconds since the epoch; 0 for none."""
    if not moment:
        return 0.0
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0


def deletion_asked_at(pod: Pod) -> float | None:
    """When somebody asked for the pod's deletion, in seconds since the epoch; None if nobody did."""
    metadata = pod["metadata"]
    if not (deadline := seconds_of(metadata.get("deletionTimestamp"))):
        return None
    return deadline - float(metadata.get("deletionGracePeriodSeconds") or 0)


def ever_ran(pod: Pod) -> bool:
    """Whether the primary container was seen to run."""
    return any(
        each.role is Role.PRIMARY and (each.running or each.terminated is not None) for each in containers_of(pod)
    )


def conditions_of(pod: Pod) -> Iterator[Mapping[str, Any]]:
    """The conditions of a pod's status."""
    yield from (pod.get("status") or {}).get("conditions") or ()


def node_of(pod: Pod) -> str:
    """The node that a pod was placed on; empty if there is none yet."""
    return str((pod.get("spec") or {}).get("nodeName") or "")
