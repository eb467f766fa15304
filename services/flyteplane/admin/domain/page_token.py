"""Page tokens: where a list goes on, in a form that callers can neither read meaning into nor make up.

A token is the position, the digest of the filter that it belongs to, and a keyed digest of both. A token of another
list, of another filter or of another platform is refused instead of giving a page that nobody asked for.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from flyteplane.foundation.errors import InvalidArgument

_TAG_BYTES: Final = 12
_FILTER_BYTES: Final = 8
KEY_BYTES: Final = 32


class PageTokens:
    """Makes and reads the tokens of one platform.

    Args:
        key: 32 secret bytes, kept as long as the database.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of page tokens has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    def make(self, position: str, *, query: str) -> str:
        """The token for the page behind `position` of the list `query`; empty when there is no position."""
        if not position:
            return ""
        body = _query_mark(query) + position.encode()
        return base64.urlsafe_b64encode(self._tag(body) + body).rstrip(b"=").decode("ascii")

    def read(self, token: str, *, query: str) -> str:
        """The position in a token; empty for an empty token.

        Raises:
            InvalidArgument: PAGE_TOKEN; not one of ours, or of a list with another filter.
        """
        if not token:
            return ""
        try:
            content = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError, ValueError):
            raise _refusal("is not one that this platform made") from None
        tag, body = content[:_TAG_BYTES], content[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body)):
            raise _refusal("is not one that this platform made")
        if body[:_FILTER_BYTES] != _query_mark(query):
            raise _refusal("belongs to a list with another filter")
        return body[_FILTER_BYTES:].decode()

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_TAG_BYTES]


def _query_mark(query: str) -> bytes:
    return hashlib.sha256(query.encode()).digest()[:_FILTER_BYTES]


def _refusal(what: str) -> InvalidArgument:
    return InvalidArgument(
        f"the page token {what}",
        reason="PAGE_TOKEN",
        field="page_token",
        mend="Repeat the request with an empty page token to start from the first page.",
    )
