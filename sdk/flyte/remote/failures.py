"""The error of an action or run as an exception, with the user's traceback."""

from __future__ import annotations

from flyte.errors import BaseRuntimeError, from_failure
from flyte.spec.failures import ErrorKind
from flyte.spec.phases import ActionPhase
from flyteapi.common.v1 import error_pb2

_KINDS: dict[int, ErrorKind] = {
    error_pb2.ERROR_KIND_USER: "user",
    error_pb2.ERROR_KIND_TIMEOUT: "user",
    error_pb2.ERROR_KIND_REFUSED: "user",
    error_pb2.ERROR_KIND_SYSTEM: "system",
}
_TIMEOUTS = {
    "DEADLINE": "DeadlineExceededError",
    "DEADLINE_EXCEEDED": "DeadlineExceededError",
    "MAX_RUNTIME": "MaxRuntimeExceededError",
    "MAX_RUNTIME_EXCEEDED": "MaxRuntimeExceededError",
    "MAX_QUEUED_TIME": "MaxQueuedTimeExceededError",
    "MAX_QUEUED_TIME_EXCEEDED": "MaxQueuedTimeExceededError",
}


def error_from_proto(error: error_pb2.TaskError, *, phase: ActionPhase, subject: str) -> BaseRuntimeError:
    """Return the exception of a failed run or action; its `traceback` attribute is the user's, as text, or empty."""
    code = error.code or phase.name
    if phase is ActionPhase.ABORTED:
        code = "ActionAbortedError"
    elif error.kind == error_pb2.ERROR_KIND_TIMEOUT or phase is ActionPhase.TIMED_OUT:
        code = _TIMEOUTS.get(code, code if code.endswith("Error") else "TaskTimeoutError")
    elif code == "OUT_OF_MEMORY":
        code = "OOMError"
    message = error.message or f"{subject} ended {phase.name}"
    raised = from_failure(code=code, kind=_KINDS.get(error.kind, "unknown"), message=message)
    raised.traceback = error.traceback  # type: ignore[attr-defined]
    return raised


def traceback_of(error: BaseException) -> str:
    """Return the user's traceback that came with an error, empty if none did."""
    return str(getattr(error, "traceback", ""))
