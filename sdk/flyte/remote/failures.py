"""The error of an action or run as an exception, with the user's traceback."""

from __future__ import annotations

from flyte.errors import ActionAbortedError, BaseRuntimeError, TaskTimeoutError
from flyte.spec.phases import ActionPhase
from flyte.wire import errors
from flyteapi.common.v1 import error_pb2


def error_from_proto(error: error_pb2.TaskError, *, phase: ActionPhase, subject: str) -> BaseRuntimeError:
    """Return the exception of a run or action that did not succeed.

    It is an ActionAbortedError or a TaskTimeoutError by the phase, whatever code the platform gave.
    """
    raised = errors.error_from_proto(error)
    message = error.message or f"{subject} ended {phase.name}"
    if phase is ActionPhase.ABORTED and not isinstance(raised, ActionAbortedError):
        return ActionAbortedError(message)
    if phase is ActionPhase.TIMED_OUT and not isinstance(raised, TaskTimeoutError):
        return TaskTimeoutError(message)
    return raised


def traceback_of(error: BaseException) -> str:
    """Return the user's traceback that came with an error, empty if none did."""
    return str(getattr(error, "remote_traceback", ""))
