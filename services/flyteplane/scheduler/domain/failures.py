"""What a failure is, and whose budget it is charged to.

| what happened | kind | charged to |
| --- | --- | --- |
| the task raised | USER | `retries` |
| the task raised NonRecoverableError, or returned what it may not | USER, not recoverable | nothing: ends at once |
| the worker ended by itself (`sys.exit`, `os._exit`) before it reported | USER, WORKER_EXITED | `retries` |
| the worker passed its memory limit | USER, OUT_OF_MEMORY | `retries` |
| the worker passed its limit of disk | USER, OUT_OF_DISK | `retries` |
| an init container or a sidecar of the user's template failed | USER, SIDECAR_FAILED | `retries` |
| a signal killed the worker | SYSTEM, WORKER_KILLED | 3 more tries, then it ends: such a task must |
| the image could not be had for as long as the cluster's patience lasts | SYSTEM, IMAGE_PULL_FAILED | 3 more |
| the pod was evicted, preempted or deleted, its node is gone | SYSTEM, WORKER_EVICTED and so on | 20 more |
| the worker was out of contact for too long | SYSTEM, CONTACT_LOST | 20 more |
| nobody saw how the worker ended, a neighbour took the replica down, no worker could be started | SYSTEM | 20 more |
| the platform was restarted | SYSTEM, PLATFORM_RESTARTED | nothing |
| `max_runtime` or `max_queued_time` passed | TIMEOUT | `retries` |
| `deadline` passed | TIMEOUT, not recoverable | nothing: ends at once |
| the platform cannot carry it out (a secret is missing) | REFUSED, not recoverable | nothing: ends at once |
| the image does not exist, the node refuses the container, the cluster the pod | REFUSED, not recoverable | the same |
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from flyte.spec.worker_endings import worker_ending

#: Re-placements after a worker was killed by a signal.
KILLED_BUDGET: Final = 3
#: Re-placements after an image could not be had; each has waited as long as the cluster's patience lasts.
IMAGE_BUDGET: Final = 3
#: Re-placements after any other failure of the infrastructure.
SYSTEM_BUDGET: Final = 20
#: The code of a failure with a budget of its own.
IMAGE_PULL_FAILED: Final = "IMAGE_PULL_FAILED"
#: Longest message or traceback that is kept, in characters.
MOST_TEXT: Final = 64 * 1024


class FailureKind(IntEnum):
    """Who has to act. Numbers are those of `flyteapi.common.v1.ErrorKind`."""

    USER = 1
    SYSTEM = 2
    TIMEOUT = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt or an action did not succeed."""

    kind: FailureKind
    code: str
    message: str
    traceback: str = ""
    recoverable: bool = True
    exit_code: int = 0
    signal: int = 0
    pickled: bytes = b""


def bounded(text: str, limit: int = MOST_TEXT) -> str:
    """The text, cut with a mark if it is longer than may be kept."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut: {len(text) - limit} more characters]"


def worker_failure(
    *, exit_code: int, signal: int, out_of_memory: bool, known: bool, message: str, reason: str = "ENDED"
) -> Failure:
    """The failure of an attempt whose worker ended before it reported an end. `reason` is that of the cluster."""
    if reason in _BY_REASON and not out_of_memory:
        kind, code, text, recoverable = _BY_REASON[reason]
        said = f"{text} {message}".strip()
        return Failure(kind=kind, code=code, message=bounded(said), recoverable=recoverable, exit_code=exit_code)
    if not known and not out_of_memory:
        text = message or "The worker is gone and nobody saw how it ended."
        return Failure(kind=FailureKind.SYSTEM, code="WORKER_LOST", message=text)
    ending = worker_ending(exit_code=exit_code, signal=signal, out_of_memory=out_of_memory)
    text, by_itself = ending.message, ending.code == "WORKER_EXITED"
    if by_itself and reason == "ENDED":
        text = f"{text} {message}".rstrip()
    return Failure(
        kind=FailureKind.USER if ending.by_task else FailureKind.SYSTEM,
        code=ending.code,
        message=bounded(text),
        exit_code=exit_code if by_itself else 0,
        signal=0 if by_itself else signal,
    )


#: By the cluster's reason: kind, code, sentence, and whether another attempt may help.
_BY_REASON: Final = {
    "EVICTED": (FailureKind.SYSTEM, "WORKER_EVICTED", "The pod was evicted from its node.", True),
    "PREEMPTED": (FailureKind.SYSTEM, "WORKER_PREEMPTED", "The pod had to make room for others.", True),
    "NODE_LOST": (FailureKind.SYSTEM, "NODE_LOST", "The node of the pod is gone.", True),
    "POD_DELETED": (FailureKind.SYSTEM, "POD_DELETED", "Somebody deleted the pod.", True),
    "CUT_OFF": (FailureKind.SYSTEM, "CONTACT_LOST", "The worker could not reach the scheduler and ended itself.", True),
    "STOPPED": (FailureKind.SYSTEM, "WORKER_STOPPED", "The worker was told to stop.", True),
    "IMAGE_PULL_FAILED": (FailureKind.SYSTEM, IMAGE_PULL_FAILED, "The image could not be pulled.", True),
    "IMAGE_NOT_FOUND": (FailureKind.REFUSED, "IMAGE_NOT_FOUND", "There is no such image.", False),
    "CONTAINER_REFUSED": (FailureKind.REFUSED, "CONTAINER_REFUSED", "The node cannot make the container.", False),
    "OUT_OF_DISK": (
        FailureKind.USER,
        "OUT_OF_DISK",
        "The task wrote more to disk than its limit. Give it more: resources=flyte.Resources(disk=...).",
        True,
    ),
    "SIDECAR_FAILED": (FailureKind.USER, "SIDECAR_FAILED", "Another container of the pod failed.", True),
}


def code_of(reason: str) -> str:
    """The code under which a failure is known, by the cluster's reason; any other text as it is."""
    return _BY_REASON[reason][1] if reason in _BY_REASON else reason


def system_budget(failure: Failure) -> int | None:
    """How many re-placements a failure of the infrastructure may have; None for no limit. A signal is named only in the
    failure of the attempt whose worker it killed, and not in those of its neighbours on a replica."""
    if failure.code == "PLATFORM_RESTARTED":
        return None
    if failure.code == IMAGE_PULL_FAILED:
        return IMAGE_BUDGET
    return KILLED_BUDGET if failure.signal else SYSTEM_BUDGET
