"""The ends of attempts that the task itself could not tell."""

from __future__ import annotations

import os
from typing import Final

from flyteapi.common.v1 import error_pb2
from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded

_OUT_OF_MEMORY: Final = "The task used more memory than its limit. Give it more: resources=flyte.Resources(memory=...)."
_EXITED: Final = "The worker ended with exit code {code} before the task returned. Return, or raise an exception."


class CannotRun(Exception):
    """The attempt cannot be carried out in this container.

    Args:
        code: UPPER_SNAKE.
        recoverable: whether another container might be able to.
    """

    def __init__(self, message: str, *, code: str, recoverable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.recoverable = recoverable

    def as_end(self) -> AttemptEnded:
        """The attempt's end: refused for good, or a failure of the infrastructure."""
        kind = error_pb2.ERROR_KIND_SYSTEM if self.recoverable else error_pb2.ERROR_KIND_REFUSED
        error = error_pb2.TaskError(kind=kind, code=self.code, message=str(self), recoverable=self.recoverable)
        return AttemptEnded(error=error)


def exit_code_of(status: int, *, signal_base: int) -> int:
    """The exit code that says the same as a wait status."""
    return signal_base + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def end_of_worker(status: int, *, out_of_memory: bool) -> AttemptEnded:
    """The end of an attempt whose worker ended with this wait status before it told one.

    The same classification as the scheduler's own for workers whose exit it sees itself.
    """
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    error = error_pb2.TaskError(kind=error_pb2.ERROR_KIND_USER, recoverable=True, signal=number)
    if out_of_memory and status != 0:
        error.code, error.message = "OUT_OF_MEMORY", _OUT_OF_MEMORY
    elif number:
        error.kind = error_pb2.ERROR_KIND_SYSTEM
        error.code, error.message = "WORKER_KILLED", f"The worker of this attempt was killed by signal {number}."
    else:
        error.exit_code = os.WEXITSTATUS(status)
        error.code, error.message = "WORKER_EXITED", _EXITED.format(code=error.exit_code)
    return AttemptEnded(error=error)
