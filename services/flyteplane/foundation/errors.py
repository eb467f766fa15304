"""The one root of all errors that the services raise on purpose.

    PlatformError
      InvalidArgument       the request can never work; mend it
      NotFound              the thing named does not exist, or the caller may not know that it does
      AlreadyExists         the name is taken by something else
      FailedPrecondition    the state forbids it; do not retry before the state has changed
      Aborted               lost against somebody else (fenced, conflicting); start again from the top
      ResourceExhausted     a limit is reached; try again after `retry_after_s`
      Unavailable           something that we depend on is away; try again
      DeadlineExceeded      the caller's time ran out; whether it took effect is unknown
      PermissionDenied      the caller is known and may not do this
      Unauthenticated       the caller is not known
      Unimplemented         this build or adapter cannot do it
      DataLoss              stored content is damaged
      Internal              a defect of ours

`message` and everything else on these errors is public: it travels to the caller as it is. Causes are attached with
`raise ... from` and stay inside. `flyteplane.rpc.errors` holds the one table from these classes to gRPC statuses.
"""

import re
from collections.abc import Mapping
from typing import ClassVar, Final

#: Reason of an `Unavailable` that leaves open whether a change was stored.
OUTCOME_UNKNOWN: Final = "STORE_OUTCOME_UNKNOWN"
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]")


class PlatformError(Exception):
    """An error with a public message, a reason for programs, and what the caller can do about it.

    Args:
        message: what is wrong, in one sentence, without internals.
        reason: UPPER_SNAKE, 3 to 63 characters; stable, for programs. Each class has a default.
        field: the path of the offending field in the request, such as `task.resources.cpu`.
        limit: the limit that was passed, with its unit, such as `100 MiB`.
        mend: what to do about it.
        metadata: further facts for programs; keys in snake_case.
        retry_after_s: seconds after which trying again is sensible; None when nothing is known.
    """

    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        field: str = "",
        limit: str = "",
        mend: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        if _REASON.fullmatch(self.reason) is None:
            raise ValueError(f"a reason is UPPER_SNAKE of 3 to 63 characters, not {self.reason!r}")
        self.field = field
        self.limit = limit
        self.mend = mend
        self.metadata: Mapping[str, str] = dict(metadata) if metadata else {}
        self.retry_after_s = retry_after_s

    @property
    def public_text(self) -> str:
        """The message with field, limit and mend, as a person should read it."""
        prefix = f"{self.field}: " if self.field and self.field not in self.message else ""
        limit = f" (limit: {self.limit})" if self.limit and self.limit not in self.message else ""
        said = f"{prefix}{self.message}{limit}"
        if not self.mend or self.mend in self.message:
            return said
        return f"{said} {self.mend}" if said.endswith((".", "!", "?")) else f"{said}. {self.mend}"

    def __str__(self) -> str:
        return f"{self.reason}: {self.public_text}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, reason={self.reason!r})"


class InvalidArgument(PlatformError):
    """The request can never work as it is."""

    default_reason = "INVALID_ARGUMENT"


class NotFound(PlatformError):
    """The thing named does not exist, or the caller may not know that it does."""

    default_reason = "NOT_FOUND"


class AlreadyExists(PlatformError):
    """The name is taken by something else."""

    default_reason = "ALREADY_EXISTS"


class FailedPrecondition(PlatformError):
    """The present state forbids it; retrying is of no use before the state has changed."""

    default_reason = "FAILED_PRECONDITION"


class Aborted(PlatformError):
    """Lost against somebody else: a newer epoch, a conflicting change. Start again from the top."""

    default_reason = "ABORTED"


class ResourceExhausted(PlatformError):
    """A limit is reached; `retry_after_s` says when to try again."""

    default_reason = "RESOURCE_EXHAUSTED"


class Unavailable(PlatformError):
    """Something that the service depends on is away; try again."""

    default_reason = "UNAVAILABLE"


class DeadlineExceeded(PlatformError):
    """The caller's time ran out; whether the request took effect is unknown."""

    default_reason = "DEADLINE_EXCEEDED"


class PermissionDenied(PlatformError):
    """The caller is known and may not do this."""

    default_reason = "PERMISSION_DENIED"


class Unauthenticated(PlatformError):
    """The caller is not known."""

    default_reason = "UNAUTHENTICATED"


class Unimplemented(PlatformError):
    """This build or adapter cannot do it."""

    default_reason = "UNIMPLEMENTED"


class DataLoss(PlatformError):
    """Stored content is damaged or gone although it was acknowledged."""

    default_reason = "DATA_LOSS"


class Internal(PlatformError):
    """A defect of ours; the id in the message finds the log line."""

    default_reason = "INTERNAL"
