"""What a parent sees of a child's failure: the same as on a platform, where the child died in another process."""

from __future__ import annotations

from flyte.errors import BaseRuntimeError, RuntimeUserError


def as_seen_by_parent(error: Exception) -> Exception:
    """Return the error that a parent catches: errors of `flyte.errors` as they are, any other by its class name."""
    if isinstance(error, BaseRuntimeError):
        return error
    seen = RuntimeUserError(type(error).__name__, str(error))
    seen.__cause__ = error
    return seen
