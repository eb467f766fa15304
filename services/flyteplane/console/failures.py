"""Failed calls as pages.

What is not there and what the visitor may not see are the same answer, word for word, so that nobody learns by guessing
what exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the visitor is told."""

    status: int
    title: str
    text: str


NOT_FOUND: Final = Failure(status=404, title="Not found", text="There is nothing here, or nothing that you may see.")
_AWAY: Final = "The platform does not answer at the moment"

_KINDS: Final[dict[type[PlatformError], tuple[int, str]]] = {
    InvalidArgument: (400, "This cannot be done"),
    AlreadyExists: (409, "This is there already"),
    FailedPrecondition: (409, "Not in this state"),
    ResourceExhausted: (429, "A limit is reached"),
    Unauthenticated: (401, "Please sign in again"),
    Unavailable: (503, _AWAY),
    DeadlineExceeded: (504, _AWAY),
    Unimplemented: (501, "This platform cannot do that"),
}


def failure_of(error: PlatformError, *, changing: bool) -> Failure:
    """What a failed call means for the page. `changing`: the visitor wanted to change something that they see."""
    if isinstance(error, PermissionDenied) and changing:
        return Failure(status=403, title="You may not do this", text=error.public_text)
    if isinstance(error, (NotFound, PermissionDenied)):
        return NOT_FOUND
    status, title = next((told for kind, told in _KINDS.items() if isinstance(error, kind)), (500, "Something failed"))
    return Failure(status=status, title=title, text=error.public_text)
