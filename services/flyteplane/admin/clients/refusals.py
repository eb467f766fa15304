"""The refusal of a run as the error that the run shows."""

from flyteapi.common.v1.error_pb2 import ErrorKind, TaskError
from flyteplane.foundation.errors import PlatformError


def encode_refusal(refusal: PlatformError) -> bytes:
    """A serialised `TaskError` of the kind REFUSED."""
    error = TaskError(
        kind=ErrorKind.ERROR_KIND_REFUSED, code=refusal.reason, message=refusal.public_text, recoverable=False
    )
    return error.SerializeToString()
