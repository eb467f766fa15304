"""What a parent sees of a child's failure: the same as on a platform, where the child died in another process."""

from __future__ import annotations

from flyte.errors import BaseRuntimeError


def as_seen_by_parent(error: Exception) -> BaseRuntimeError:
    """Return the error that a parent catches: the one that a platform makes of code, kind and message."""
    from flyte.wire.errors import error_from_proto, error_to_proto

    message = error_to_proto(error)
    seen = error_from_proto(message)
    if isinstance(error, BaseRuntimeError) and error.kind != "user":
        seen.kind = error.kind
    return seen
