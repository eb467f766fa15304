"""How the end of an attempt that failed is told: whose fault, what was raised, and where in the user's own code."""

from __future__ import annotations

import asyncio

from flyte.runner.attempt import Attempt
from flyteapi.common.v1 import error_pb2
from flyteapi.common.v1.error_pb2 import TaskError


def describe_failure(error: BaseException, attempt: Attempt) -> TaskError:
    """The failure of an attempt whose code, module or inputs raised `error`."""
    if attempt.cancel_reason is not None and isinstance(error, asyncio.CancelledError):
        return cancellation(attempt.cancel_reason)
    from flyte.wire.errors import error_to_proto

    mask = attempt.mask
    failure = error_to_proto(error, mask=mask)
    if isinstance(error, SystemExit):
        message = f"The task called sys.exit({'' if error.code is None else repr(error.code)})."
        failure.message = message if mask is None else mask.text(message)
    return failure


def cancellation(reason: str) -> TaskError:
    """The end of an attempt that was told to stop, and did."""
    from flyte.spec.worker_endings import CANCELLED

    return TaskError(kind=error_pb2.ERROR_KIND_USER, code=CANCELLED, message=reason)
