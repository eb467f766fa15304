"""Requests that may be sent again: a caller that heard no answer asks once more, and what it asked for is done once.

The mark of a request is stored in the transaction that does what it asks for, so that either both are there or neither.
"""

import hashlib

from flyteplane.admin.application.setting_rules import check_request_id
from flyteplane.admin.domain.request_mark import RequestMark


def mark_of(rpc: str, request_id: str, *, by: str, content: object) -> RequestMark | None:
    """The mark of a request; None without an id. Raises InvalidArgument for an id that is none.

    Args:
        by: the caller, whose ids are its own.
        content: what is asked for, as a value whose `repr` is the same for the same.
    """
    check_request_id(request_id)
    if not request_id:
        return None
    return RequestMark(name=_digest(repr((rpc, by, request_id))), content=_digest(repr(content)))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
