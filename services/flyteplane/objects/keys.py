"""Which keys objects may have: those that mean the same in every adapter and can never leave the store's root."""

from typing import Final

from flyteplane.foundation.errors import InvalidArgument

#: Where objects lie that are on their way: clients put them there to be checked, or the adapter of S3 to be copied.
UPLOADS: Final = "uploads/"
INCOMING: Final = "incoming/"
#: Most bytes of a key, as S3 has it.
MOST_KEY_BYTES: Final = 1024
#: Most bytes between two slashes, as file systems have it, with room for the name of a temporary file.
MOST_SEGMENT_BYTES: Final = 200


def validate_key(key: str) -> str:
    """Return `key` if it is a proper one.

    Raises:
        InvalidArgument: OBJECT_KEY; empty, too long, not printable, or with an empty, `.` or `..` segment.
    """
    problem = _problem(key)
    if problem:
        raise InvalidArgument(f"an object key {problem}", reason="OBJECT_KEY", field="key")
    return key


def validate_prefix(prefix: str) -> str:
    """Return `prefix` if some proper key may start with it. Raises InvalidArgument (OBJECT_KEY)."""
    if prefix:
        validate_key(prefix[:-1] if prefix.endswith("/") else prefix)
    return prefix


def _problem(key: str) -> str:
    if not key:
        return "must not be empty"
    if not key.isprintable() or "\\" in key:
        return "must be printable text without backslashes"
    if len(key.encode(errors="replace")) > MOST_KEY_BYTES:
        return f"has at most {MOST_KEY_BYTES} bytes"
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            return f"must not have a segment {segment!r}"
        if len(segment.encode(errors="replace")) > MOST_SEGMENT_BYTES:
            return f"has at most {MOST_SEGMENT_BYTES} bytes between two slashes"
    return ""
