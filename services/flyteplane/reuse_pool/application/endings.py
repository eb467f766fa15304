"""How a replica ended, from what its cluster saw."""

from __future__ import annotations

from typing import Final

from flyteplane.cluster.agent_exits import reason_of_exit
from flyteplane.cluster.ports import ExitReason, WorkerExit
from flyteplane.reuse_pool.domain.replica import ReplicaEnd

#: What no task has brought about.
_TAKEN_AWAY: Final = frozenset(
    {
        ExitReason.EVICTED,
        ExitReason.PREEMPTED,
        ExitReason.NODE_LOST,
        ExitReason.POD_DELETED,
        ExitReason.IMAGE_NOT_FOUND,
        ExitReason.IMAGE_PULL_FAILED,
        ExitReason.CONTAINER_REFUSED,
        ExitReason.SIDECAR_FAILED,
        ExitReason.CUT_OFF,
        ExitReason.STOPPED,
    }
)
#: Another replica of the pool would end in the same way.
_FOR_GOOD: Final = frozenset({ExitReason.IMAGE_NOT_FOUND, ExitReason.CONTAINER_REFUSED})
#: What the codes say that people see; an end of the process itself speaks by code and signal.
_PLAIN: Final = frozenset({ExitReason.ENDED, ExitReason.LOST, ExitReason.OUT_OF_MEMORY})


def replica_end(exit: WorkerExit, *, is_pod: bool, message: str) -> ReplicaEnd:
    """The end as the pool judges it. `message` takes the place of the cluster's own."""
    reason = reason_of_exit(exit, is_pod=is_pod)
    return ReplicaEnd(
        exit_code=exit.exit_code,
        signal=exit.signal,
        out_of_memory=exit.out_of_memory or reason is ExitReason.OUT_OF_MEMORY,
        known=exit.known and reason is not ExitReason.LOST,
        reason="" if reason in _PLAIN else reason.value,
        taken_away=reason in _TAKEN_AWAY,
        for_good=reason in _FOR_GOOD,
        message=message,
    )
