"""The one table between our errors and gRPC statuses, both ways.

A status carries google.rpc.ErrorInfo (reason, domain, metadata), BadRequest when a field is at fault, and RetryInfo
when it is known when to try again. Errors that nobody raised on purpose become INTERNAL with an id that finds the log
line, and say nothing else. Statuses of other systems, such as the store behind a service, never pass through.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

from flyteplane.foundation.errors import (
    Aborted,
    AlreadyExists,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from google.rpc import status_pb2

_log = get_logger("rpc")

#: The domain of ErrorInfo: reasons are unique within it.
ERROR_DOMAIN: Final = "flyteplane"
_DETAILS_KEY: Final = "grpc-status-details-bin"
#: Keys of ErrorInfo.metadata that carry fields of PlatformError.
_FIELD_KEY, _LIMIT_KEY, _MEND_KEY = "field", "limit", "mend"

#: Most bytes of what an error says, and of each fact beside it. Clients of gRPC drop an answer, now and then or always,
#: whose trailers have more than 8 KiB, and show an error of their own in its place.
_MOST_TEXT_BYTES: Final = 1500
_MOST_FACT_BYTES: Final = 400
_CUT: Final = " [...] "

_STATUS_OF: Final[Mapping[type[PlatformError], grpc.StatusCode]] = {
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Aborted: grpc.StatusCode.ABORTED,
    ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    DataLoss: grpc.StatusCode.DATA_LOSS,
    Internal: grpc.StatusCode.INTERNAL,
}
_CLASS_OF: Final[Mapping[grpc.StatusCode, type[PlatformError]]] = {
    **{code: kind for kind, code in _STATUS_OF.items()},
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.CANCELLED: Aborted,
}


class ErrorStatus(NamedTuple):
    """A status in the form that `ServicerContext.abort` takes."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def status_code_of(error: PlatformError) -> grpc.StatusCode:
    """The status of an error, by the nearest of its classes that the table knows."""
    for kind in type(error).__mro__:
        if kind in _STATUS_OF:
            return _STATUS_OF[kind]
    return grpc.StatusCode.INTERNAL


def status_of(error: BaseException, *, method: str, ids: IdSource | None = None) -> ErrorStatus:
    """What the caller of `method` is told of any error. Logs those that nobody raised on purpose."""
    public = as_platform_error(error, method=method, ids=ids)
    code = status_code_of(public)
    text = _cut(public.public_text, most_bytes=_MOST_TEXT_BYTES)
    return ErrorStatus(code, text, ((_DETAILS_KEY, _details(public, code, text=text)),))


def as_platform_error(error: BaseException, *, method: str, ids: IdSource | None = None) -> PlatformError:
    """`error` itself when it is public, the error of a platform service that we called, or INTERNAL with an id."""
    if isinstance(error, PlatformError):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        called = errors_from_call(error)
        if called.metadata.get("domain") == ERROR_DOMAIN or isinstance(called, Unavailable):
            return called
    if isinstance(error, asyncio.TimeoutError):
        return DeadlineExceeded("the service did not answer in time")
    incident = (ids or SystemIds()).unique(9)
    _log.error("unexpected_error", rpc=method, id=incident, exc_info=error)
    return Internal(f"internal error, id {incident}", metadata={"id": incident})


def errors_from_call(error: grpc.aio.AioRpcError) -> PlatformError:
    """The error that the called service raised, as far as its status tells; the call's error becomes its cause."""
    code = error.code()
    kind = _CLASS_OF.get(code, Internal)
    public = _from_details(kind, error) or kind(
        error.details() or f"the call ended with {code.name}",
        reason=code.name if code in _CLASS_OF else "",
        metadata={"status": code.name},
    )
    public.__cause__ = error
    return public


def _cut(text: str, *, most_bytes: int) -> str:
    """The text, or its two ends if it is longer: at the beginning it says what is wrong, at the end what to do."""
    content = text.encode(errors="replace")
    if len(content) <= most_bytes:
        return text
    tail = most_bytes // 4
    head = content[: most_bytes - tail - len(_CUT.encode())]
    return f"{head.decode(errors='ignore')}{_CUT}{content[-tail:].decode(errors='ignore')}"


def _details(error: PlatformError, code: grpc.StatusCode, *, text: str) -> bytes:
    # These modules cost 60 ms to import and are of no use before the first error.
    from google.rpc import error_details_pb2, status_pb2

    metadata = dict(error.metadata)
    metadata.update(
        {
            key: fact
            for key, fact in ((_FIELD_KEY, error.field), (_LIMIT_KEY, error.limit), (_MEND_KEY, error.mend))
            if fact
        }
    )
    metadata = {key: _cut(fact, most_bytes=_MOST_FACT_BYTES) for key, fact in metadata.items()}
    number: int = code.value[0]
    status = status_pb2.Status(code=number, message=text)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=metadata)
    status.details.add().Pack(info)
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(error.field, most_bytes=_MOST_FACT_BYTES),
            description=_cut(error.message, most_bytes=_MOST_FACT_BYTES),
            reason=error.reason,
        )
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return bytes(status.SerializeToString())


def _from_details(kind: type[PlatformError], error: grpc.aio.AioRpcError) -> PlatformError | None:
    """The error that ErrorInfo and RetryInfo describe; None when there is no ErrorInfo."""
    from google.rpc import error_details_pb2

    status = _status_in(error)
    info, retry_after_s = None, None
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            detail.Unpack(info := error_details_pb2.ErrorInfo())
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            detail.Unpack(retry := error_details_pb2.RetryInfo())
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    if info is None or not info.reason:
        return None
    facts: dict[str, Any] = dict(info.metadata)
    known = {key: facts.pop(key, "") for key in (_FIELD_KEY, _LIMIT_KEY, _MEND_KEY)}
    return kind(
        error.details() or info.reason,
        reason=info.reason,
        metadata={**facts, "domain": info.domain},
        retry_after_s=retry_after_s,
        **known,
    )


def _status_in(error: grpc.aio.AioRpcError) -> "status_pb2.Status | None":
    from google.protobuf.message import DecodeError
    from google.rpc import status_pb2

    for key, content in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(content, bytes):
            try:
                return status_pb2.Status.FromString(content)
            except DecodeError:
                return None
    return None
