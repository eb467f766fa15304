"""The ends of attempts that the task itself could not tell."""

from __future__ import annotations

import os

from flyte.spec.worker_endings import CANCELLED, worker_ending
from flyteapi.common.v1 import error_pb2
from flyteapi.scheduler.v1.worker_service_pb2 import AttemptEnded


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


def cancelled(reason: str) -> AttemptEnded:
    """The end of an attempt that was told to stop before it began."""
    error = error_pb2.TaskError(kind=error_pb2.ERROR_KIND_USER, code=CANCELLED, message=reason)
    return AttemptEnded(error=error)


def exit_code_of(status: int, *, signal_base: int) -> int:
    """The exit code that says the same as a wait status."""
    return signal_base + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def end_of_worker(status: int, *, out_of_memory: bool) -> AttemptEnded:
    """The end of an attempt whose worker ended with this wait status before it told one.

    The same classification as the scheduler's own for workers whose exit it sees itself.
    """
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    exit_code = 0 if number else os.WEXITSTATUS(status)
    ending = worker_ending(exit_code=exit_code, signal=number, out_of_memory=out_of_memory and status != 0)
    error = error_pb2.TaskError(
        kind=error_pb2.ERROR_KIND_USER if ending.by_task else error_pb2.ERROR_KIND_SYSTEM,
        code=ending.code,
        message=ending.message,
        recoverable=True,
        signal=number,
        exit_code=exit_code if ending.code == "WORKER_EXITED" else 0,
    )
    return AttemptEnded(error=error)
