"""What it means that a worker ended before it reported the end of its attempt, said in one place.

The scheduler judges the workers whose exit it sees; the agent in a pod judges its own. Both have to come to the same
code, text and budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CANCELLED: Final = "CANCELLED"
"""Code of an attempt that ended because it was told to."""


@dataclass(frozen=True, slots=True)
class WorkerEnding:
    """How people are told, and whose doing it was."""

    code: str
    message: str
    by_task: bool
    """Charged to the task's retries; otherwise to the infrastructure."""


_OUT_OF_MEMORY: Final = WorkerEnding(
    "OUT_OF_MEMORY",
    "The task used more memory than its limit. Give it more: resources=flyte.Resources(memory=...).",
    by_task=True,
)


def worker_ending(*, exit_code: int, signal: int, out_of_memory: bool) -> WorkerEnding:
    """The ending by exit code, or by the signal that killed the worker (0: none did)."""
    if out_of_memory:
        return _OUT_OF_MEMORY
    if signal:
        message = f"The worker of this attempt was killed by signal {signal}."
        return WorkerEnding("WORKER_KILLED", message, by_task=False)
    message = f"The worker ended with exit code {exit_code} before the task returned. Return, or raise an exception."
    return WorkerEnding("WORKER_EXITED", message, by_task=True)
