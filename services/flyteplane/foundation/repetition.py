"""Requests that may be sent again: a caller that heard no answer asks once more, and what it asked for is done once.

One rule for every service: a request is known by who sent it, for what, and under which id. One that comes again with
the same content is answered as before; with other content it is refused. What is kept of it, for a day and in the
transaction that does what it asks for, are digests only: an id may be worth something, as an API key is derived from
one.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import AlreadyExists, InvalidArgument

MOST_REQUEST_ID_CHARACTERS: Final = 64
#: For how long a request is known again, in seconds: far beyond the patience of any client.
REQUESTS_KEPT_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMark:
    """What is kept of a request that was answered."""

    name: bytes
    """SHA-256 of rpc, caller and request id."""
    content: bytes
    """SHA-256 of what was asked for."""


def mark_of(rpc: str, request_id: str, *, content: object, by: str = "") -> RequestMark | None:
    """The mark of a request; None without an id. Raises InvalidArgument for an id that is none.

    Args:
        content: what is asked for, as a value whose `repr` is the same for the same.
        by: the caller, whose ids are its own; empty where all callers share theirs.
    """
    check_request_id(request_id)
    if not request_id:
        return None
    return RequestMark(name=_digest(repr((rpc, by, request_id))), content=_digest(repr(content)))


def check_request_id(request_id: str) -> None:
    """Check a request id; an empty one is none. Raises InvalidArgument."""
    if len(request_id) > MOST_REQUEST_ID_CHARACTERS or not request_id.isprintable():
        raise InvalidArgument(
            "the request id is too long or not printable",
            reason="REQUEST_ID",
            field="request_id",
            limit=f"{MOST_REQUEST_ID_CHARACTERS} characters",
            mend="Use a UUID.",
        )


def id_reused() -> AlreadyExists:
    """The refusal of a request whose id belongs to another one."""
    return AlreadyExists(
        "the request id was used for a request with other content",
        reason="REQUEST_ID_REUSED",
        field="request_id",
        mend="Use a new request id for each request; repeat a request unchanged to get the same answer.",
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
