"""etcd's statuses as our own errors; none of them passes through.

etcd tells its errors apart by their text, which its own clients rely on as well. What cannot be told apart counts as
Unavailable, which says the least: whether a write took effect is unknown.
"""

from typing import Final

import grpc

from flyteplane.foundation.errors import (
    Aborted,
    DataLoss,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

#: Texts that mean that the token is no longer good. Nothing was done for a call that is answered so.
_STALE_TOKEN: Final = ("invalid auth token", "revision of auth store is old")
_WRONG_CREDENTIALS: Final = ("authentication failed", "user name is empty", "user name not found", *_STALE_TOKEN)
_TOO_LARGE: Final = ("request is too large", "too many operations", "larger than max", "lease TTL")

_MEND_CREDENTIALS: Final = "Check username and password_file."


class Compacted(Aborted):
    """The revision that was asked for is no longer kept; read the present state instead. Stays inside the adapter."""

    default_reason = "REVISION_COMPACTED"


def lease_not_found(lease_id: int) -> NotFound:
    """The lease has ended or never was."""
    return NotFound(f"lease {lease_id:x} has ended or never was", reason="LEASE_NOT_FOUND")


def is_stale_token(text: str) -> bool:
    """Whether a call was refused for its token only, so that it may go again with a new one."""
    return any(known in text for known in _STALE_TOKEN)


def is_without_authentication(error: grpc.aio.AioRpcError) -> bool:
    """Whether the store asks nobody to authenticate."""
    return "authentication is not enabled" in (error.details() or "")


def unavailable(why: str) -> Unavailable:
    """The store cannot be reached; `why` names the endpoint."""
    return Unavailable(f"the coordination store is out of reach: {why}", reason="COORDINATION_UNAVAILABLE")


def translated(error: grpc.aio.AioRpcError, *, endpoint: str) -> PlatformError:
    """Our error for etcd's. `endpoint` is the member that answered, or did not."""
    text = error.details() or ""
    if any(known in text for known in _WRONG_CREDENTIALS):
        return Unauthenticated(
            "the coordination store does not accept who we are", reason="COORDINATION_LOGIN", mend=_MEND_CREDENTIALS
        )
    if any(known in text for known in _TOO_LARGE):
        return InvalidArgument("the coordination store does not take so much at once", reason="TOO_LARGE")
    match error.code():
        case grpc.StatusCode.NOT_FOUND if "lease" in text:
            return NotFound("the lease has ended or never was", reason="LEASE_NOT_FOUND")
        case grpc.StatusCode.INVALID_ARGUMENT if "duplicate key" in text:
            return InvalidArgument("a transaction writes a key twice", reason="DUPLICATE_KEY")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidArgument("the coordination store refuses the request as it is", reason="REFUSED")
        case grpc.StatusCode.OUT_OF_RANGE if "compacted" in text:
            return Compacted("the revision is no longer kept")
        case grpc.StatusCode.PERMISSION_DENIED:
            return PermissionDenied(
                "the coordination store does not let us use these keys",
                reason="COORDINATION_PERMISSION",
                mend="Give the user a role that may read and write all keys that start with the prefix.",
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "space exceeded" in text:
            return ResourceExhausted(
                "the coordination store is full",
                reason="COORDINATION_STORE_FULL",
                mend="Compact and defragment etcd, then disarm its NOSPACE alarm.",
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return ResourceExhausted("the coordination store is busy", reason="COORDINATION_BUSY", retry_after_s=1.0)
        case grpc.StatusCode.DATA_LOSS:
            return DataLoss("the coordination store is damaged", reason="COORDINATION_CORRUPT")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return unavailable(f"{endpoint} did not answer in time")
        case _:
            return unavailable(f"{endpoint} has failed")


#: Pieces of gRPC's words for a failed connection, and what an operator should make of them. The first that fits counts.
_CAUSES: Final = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not signed by ca_file"),
    ("does not match", "its certificate is for another name"),
    ("Peer name", "its certificate is for another name"),
    ("ertificate", "the TLS handshake failed; check ca_file, cert_file and key_file"),
    ("andshake", "the TLS handshake failed; check ca_file, cert_file and key_file"),
    ("SSL", "the TLS handshake failed; check ca_file, cert_file and key_file"),
    ("refused", "nobody listens there"),
    ("DNS", "the name cannot be resolved"),
    ("resol", "the name cannot be resolved"),
    ("Unwrap", "it hung up behind the TLS handshake; does it know the authority of cert_file?"),
    ("closed", "it closed the connection; does it want TLS? or another cert_file?"),
    ("reset", "it closed the connection; does it want TLS? or another cert_file?"),
)


def cause_of(error: grpc.aio.AioRpcError) -> str:
    """Why a member cannot be used, for the operator who wrote the settings."""
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "what listens there is not etcd 3"
    text = error.details() or ""
    return next((cause for piece, cause in _CAUSES if piece in text), "it cannot be used")
