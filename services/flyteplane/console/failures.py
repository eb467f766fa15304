"""Failed calls as pages, each with what can be done next.

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
    mend: str
    """What to do next."""
    again: bool = False
    """The same address may answer soon."""


NOT_FOUND: Final = Failure(
    status=404,
    title="Not found",
    text="There is nothing here, or nothing that you may see.",
    mend="Look whether the address is complete. If somebody gave it to you, ask them for a role in its project and "
    "domain: your own key sees no others.",
)
_AWAY: Final = "The platform does not answer at the moment"
_AWAY_MEND: Final = "It may be starting. Runs go on meanwhile, and nothing is lost. Try again in a few seconds."
_UNKNOWN_MEND: Final = "It may have been done all the same: look before you try again."
_DEFECT_MEND: Final = (
    "This is a defect of the platform. Whoever runs it finds the reason in its log, under the id above. What was being "
    "done has either happened as a whole or not at all: look, and try again."
)


#: From this status on, waiting may help.
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    title: str
    mend: str
    """Where the error itself names none."""


_KINDS: Final[dict[type[PlatformError], _Kind]] = {
    InvalidArgument: _Kind(400, "This cannot be done", "Go back and change what was given."),
    AlreadyExists: _Kind(409, "This is there already", "Go back and choose another name."),
    FailedPrecondition: _Kind(409, "Not in this state", "Go back, load the page again and look how things stand."),
    ResourceExhausted: _Kind(429, "A limit is reached", "Wait for something to end, then try again."),
    Unauthenticated: _Kind(401, "Please sign in again", "Sign out, then sign in with a key that is valid."),
    Unavailable: _Kind(503, _AWAY, _AWAY_MEND),
    DeadlineExceeded: _Kind(504, _AWAY, _AWAY_MEND),
    Unimplemented: _Kind(501, "This platform cannot do that", "Ask whoever runs it for a newer version."),
}
_DEFECT: Final = _Kind(500, "Something failed", _DEFECT_MEND)


def failure_of(error: PlatformError, *, changing: bool) -> Failure:
    """What a failed call means for the page. `changing`: the visitor wanted to change something that they see."""
    if isinstance(error, PermissionDenied) and changing:
        mend = "" if error.mend else "Ask an administrator of the project for the role that it needs."
        return Failure(status=403, title="You may not do this", text=error.public_text, mend=mend)
    if isinstance(error, (NotFound, PermissionDenied)):
        return NOT_FOUND
    kind = next((told for type, told in _KINDS.items() if isinstance(error, type)), _DEFECT)
    return Failure(
        status=kind.status,
        title=kind.title,
        text=error.public_text,
        mend=_mend(error, kind, changing=changing),
        again=not changing and kind.status >= _TOO_MANY,
    )


def _mend(error: PlatformError, kind: _Kind, *, changing: bool) -> str:
    if changing and isinstance(error, (Unavailable, DeadlineExceeded)):
        return _UNKNOWN_MEND
    return "" if error.mend else kind.mend
