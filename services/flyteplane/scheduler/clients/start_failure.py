"""Why no worker could be started, as a failure of the attempt."""

from typing import Final

from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, PlatformError
from flyteplane.scheduler.domain.failures import Failure, FailureKind

_REFUSALS: Final = (NotFound, InvalidArgument, PermissionDenied)


def start_failure(error: PlatformError) -> Failure:
    """Nothing that the platform can mend, or something that may pass."""
    if isinstance(error, _REFUSALS):
        return Failure(kind=FailureKind.REFUSED, code=error.reason, message=error.public_text, recoverable=False)
    return Failure(kind=FailureKind.SYSTEM, code="WORKER_NOT_STARTED", message=error.public_text)
