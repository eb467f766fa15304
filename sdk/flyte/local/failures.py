"""What a parent sees of a child's failure: the same as on a platform, where the child died in another process."""

from __future__ import annotations

from flyte.errors import BaseRuntimeError


def as_seen_by_parent(error: Exception) -> BaseRuntimeError:
    """Return the error that a parent catches: errors of `flyte.errors` as they are, any other by its class name."""
    from flyte.wire.errors import error_from_proto, error_to_proto

    if isinstance(error, BaseRuntimeError):
        return error
    return error_from_proto(error_to_proto(error))
