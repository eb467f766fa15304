"""What a failure is, and whose budget it is charged to.

| what happened | kind | charged to |
| --- | --- | --- |
| the task raised | USER | `retries` |
| the task raised NonRecoverableError, or returned what it may not | USER, not recoverable | nothing: ends at once |
| the worker ended by itself (`sys.exit`, `os._exit`) before it reported | USER, WORKER_EXITED | `retries` |
| the worker passed its memory limit | USER, OUT_OF_MEMORY | `retries` |
| a signal killed the worker | SYSTEM, WORKER_KILLED | 3 more tries, then it ends: such a task must |
| nobody saw how the worker ended, a neighbour took the replica down, no worker could be started | SYSTEM | 20 more |
| the platform was restarted | SYSTEM, PLATFORM_RESTARTED | nothing |
| `max_runtime` or `max_queued_time` passed | TIMEOUT | `retries` |
| `deadline` passed | TIMEOUT, not recoverable | nothing: ends at once |
| the platform cannot carry it out (a secret is missing) | REFUSED, not recoverable | nothing: ends at once |
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: Re-placements after a worker was killed by a signal.
KILLED_BUDGET: Final = 3
#: Re-placements after any other failure of the infrastructure.
SYSTEM_BUDGET: Final = 20
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


def worker_failure(*, exit_code: int, signal: int, out_of_memory: bool, known: bool, message: str) -> Failure:
    """The failure of an attempt whose worker ended before it reported an end."""
    if out_of_memory:
        return Failure(
            kind=FailureKind.USER,
            code="OUT_OF_MEMORY",
            message="The task used more memory than its limit. Give it more: resources=flyte.Resources(memory=...).",
            signal=signal,
        )
    if not known:
        text = message or "The worker is gone and nobody saw how it ended."
        return Failure(kind=FailureKind.SYSTEM, code="WORKER_LOST", message=text)
    if signal:
        text = f"The worker of this attempt was killed by signal {signal}."
        return Failure(kind=FailureKind.SYSTEM, code="WORKER_KILLED", message=text, signal=signal)
    text = f"The worker ended with exit code {exit_code} before the task returned. Return, or raise an exception."
    return Failure(kind=FailureKind.USER, code="WORKER_EXITED", message=text, exit_code=exit_code)


def system_budget(failure: Failure) -> int | None:
    """How many re-placements a failure of the infrastructure may have; None for no limit. A signal is named only in the
    failure of the attempt whose worker it killed, and not in those of its neighbours on a replica."""
    if failure.code == "PLATFORM_RESTARTED":
        return None
    return KILLED_BUDGET if failure.signal else SYSTEM_BUDGET
