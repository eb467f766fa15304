"""From a gRPC status to an error that says what is wrong and how to mend it.

No gRPC exception leaves the SDK. What the platform says of single fields (google.rpc.BadRequest) is part of the
message; retry information becomes `retry_after_s` of a `ResourceExhaustedError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte.errors import (
    BaseRuntimeError,
    InitializationError,
    ResourceExhaustedError,
    RuntimeUserError,
    UnionRpcError,
)

if TYPE_CHECKING:
    import grpc
    from google.rpc.status_pb2 import Status

_USER_CODES: Final = {
    "INVALID_ARGUMENT": "InvalidArgument",
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "FAILED_PRECONDITION": "FailedPrecondition",
    "OUT_OF_RANGE": "InvalidArgument",
}
_OUTCOME_UNKNOWN: Final = ("STORE_OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED")
"""Reasons with which the platform says that it does not know whether a change was made."""


def from_rpc_error(error: grpc.aio.AioRpcError, *, endpoint: str) -> BaseRuntimeError:
    """Return the error to raise in place of a failed call."""
    details = _status_details(error)
    failure = _failure_of(error, details, endpoint=endpoint)
    failure.platform_reason = _reason(details)  # type: ignore[attr-defined]  # for the rules below only
    return failure


def _failure_of(error: grpc.aio.AioRpcError, details: Status | None, *, endpoint: str) -> BaseRuntimeError:
    status = error.code().name
    message = error.details() or status
    if status == "UNAVAILABLE":
        return no_platform(endpoint, reason=message) if details is None else _unavailable(endpoint, reason=message)
    if status in _USER_CODES:
        return RuntimeUserError(_USER_CODES[status], _with_violations(message, details))
    if status == "RESOURCE_EXHAUSTED":
        exhausted = ResourceExhaustedError(message)
        exhausted.retry_after_s = _retry_delay_s(details)  # type: ignore[attr-defined]
        return exhausted
    if status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return InitializationError(status, "user", f"The platform at {endpoint} refuses this call: {message}")
    if status == "DEADLINE_EXCEEDED":
        return UnionRpcError("RpcTimeout", f"The platform at {endpoint} did not answer in time: {message}")
    if status == "UNIMPLEMENTED":
        return UnionRpcError("NotServed", f"The platform at {endpoint} does not serve this; is it an older one?")
    return UnionRpcError(status, f"The platform at {endpoint} failed: {message}")


def no_platform(endpoint: str, *, reason: str = "") -> UnionRpcError:
    """Return the error for a platform that is not there."""
    mend = (
        "See that the endpoint is right and that the platform runs; one that restarts is back within seconds."
        if endpoint.startswith("https://")
        else "Start one with `flyte up`."
    )
    error = UnionRpcError("PlatformUnavailable", f"No Flyteplane platform answers at {endpoint}. {mend}")
    if reason:
        error.add_note(reason)
    return error


def _unavailable(endpoint: str, *, reason: str) -> UnionRpcError:
    return UnionRpcError("PlatformUnavailable", f"The platform at {endpoint} cannot do this just now: {reason}")


def is_platform_gone(error: BaseException) -> bool:
    """Tell whether an error means that the platform cannot be reached just now."""
    return isinstance(error, UnionRpcError) and error.code == "PlatformUnavailable"


def may_pass(error: BaseException) -> bool:
    """Tell whether a change that failed with this error is worth asking for again: soon the answer may be another."""
    if not isinstance(error, UnionRpcError):
        return False
    if error.code in ("INTERNAL", "UNKNOWN"):
        # gRPC's own words for a connection that broke. Where the platform says so it is a defect, and stays one.
        return not _said_by_platform(error)
    return error.code in ("PlatformUnavailable", "CANCELLED", "ABORTED", "RpcTimeout")


def leaves_open(error: BaseException) -> bool:
    """Tell whether a change that failed with this error may have been made: the platform has not said the opposite."""
    return not _said_by_platform(error) or getattr(error, "platform_reason", "") in _OUTCOME_UNKNOWN


def _said_by_platform(error: BaseException) -> bool:
    return bool(getattr(error, "platform_reason", ""))


def _reason(status: Status | None) -> str:
    """Return the platform's own reason; empty for words of gRPC."""
    if status is None:
        return ""
    from google.rpc.error_details_pb2 import ErrorInfo

    info = ErrorInfo()
    return next((info.reason for detail in status.details if detail.Unpack(info)), "")


def _status_details(error: grpc.aio.AioRpcError) -> Status | None:
    from google.rpc.status_pb2 import Status

    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return Status.FromString(value)
    return None


def _with_violations(message: str, status: Status | None) -> str:
    from google.rpc.error_details_pb2 import BadRequest

    lines = [message]
    for detail in status.details if status is not None else ():
        bad_request = BadRequest()
        if detail.Unpack(bad_request):
            lines += [
                f"{violation.field}: {violation.description}"
                for violation in bad_request.field_violations
                if violation.description not in message
            ]
    return "\n".join(lines)


def _retry_delay_s(status: Status | None) -> float | None:
    from google.rpc.error_details_pb2 import RetryInfo

    for detail in status.details if status is not None else ():
        retry = RetryInfo()
        if detail.Unpack(retry):
            return float(retry.retry_delay.ToTimedelta().total_seconds())
    return None
