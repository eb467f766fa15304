"""What the exit of a pod's own program stands for, where its task has not chosen the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyte.spec import worker_exits
from flyteplane.cluster.ports import ExitReason, WorkerExit

_MEANINGS: Final[Mapping[int, ExitReason]] = {
    worker_exits.OUT_OF_CONTACT: ExitReason.CUT_OFF,
    worker_exits.ATTEMPT_OVER: ExitReason.STOPPED,
    worker_exits.REFUSED: ExitReason.STOPPED,
}


def reason_of_exit(exit: WorkerExit, *, is_pod: bool) -> ExitReason:
    """Why the worker is gone. A worker that is no pod has no agent, so that its codes are its task's own."""
    if exit.reason is ExitReason.ENDED and is_pod:
        return _MEANINGS.get(exit.exit_code, exit.reason)
    return exit.reason
