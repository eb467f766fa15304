"""How a request that is sent again is known: by who sent it, for what, and under which id.

Only digests are kept. The id of a request may be worth something, as an API key is derived from one.
"""

from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import AlreadyExists

#: For how long a request is known again: far beyond the patience of any client.
KEPT_US: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMark:
    """What is kept of a request that was answered."""

    name: bytes
    """SHA-256 of rpc, caller and request id."""
    content: bytes
    """SHA-256 of what was asked for."""


def id_reused() -> AlreadyExists:
    """The refusal of a request whose id belongs to another one."""
    return AlreadyExists(
        "the request id was used for a request with other content",
        reason="REQUEST_ID_REUSED",
        field="request_id",
        mend="Use a new request id for each request; repeat a request unchanged to get the same answer.",
    )
