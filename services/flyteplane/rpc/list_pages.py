"""Pages of lists: how large one may be, and the pages of lists that a service holds in memory as a whole.

There is one rule for sizes, whichever service answers: a page that is too large is refused and never cut, so that
nobody takes a page that was cut for the last one.

A token of a list in memory names the last entry of its page and where it stood, so that a list that changes between
two pages repeats and leaves out nothing but what has changed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.rpc.message_size import fitting

#: Entries on a page of a list that grows with use, where nobody asks for a size.
DEFAULT_PAGE_SIZE: Final = 100
#: Entries: a page is read into memory as a whole, here and by whoever asked.
LARGEST_PAGE_SIZE: Final = 1000

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Generic[Entry]):
    """Entries, and the token of the next page; the token is empty on the last one."""

    entries: Sequence[Entry]
    next_token: str


def page_size(asked: int) -> int:
    """The size of a page: `asked`, or 100 for 0. Raises InvalidArgument (PAGE_SIZE) above 1,000."""
    if not 0 <= asked <= LARGEST_PAGE_SIZE:
        raise InvalidArgument(
            f"a page of {asked} is too large",
            reason="PAGE_SIZE",
            field="page_size",
            limit=f"{LARGEST_PAGE_SIZE} entries",
            mend="Ask for smaller pages and follow next_page_token.",
        )
    return asked or DEFAULT_PAGE_SIZE


def whole_list_size(asked: int) -> int:
    """The size of a page of a list that had no pages once: `asked`, or 1,000 for 0, so that whoever knows of no pages
    still gets all there is in any platform but the largest. Raises InvalidArgument (PAGE_SIZE) above 1,000."""
    return page_size(asked or LARGEST_PAGE_SIZE)


def list_page(
    entries: Sequence[Entry],
    *,
    name: Callable[[Entry], str],
    size_bytes: Callable[[Entry], int],
    asked: int,
    token: str,
) -> ListPage[Entry]:
    """The page behind a token. Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN).

    Args:
        name: unique in the list.
        size_bytes: of an entry, as it is sent.
        asked: entries on a page; 0 for 1,000.
    """
    size = whole_list_size(asked)
    start = _start(entries, name, token)
    page = fitting(entries[start : start + size], size=size_bytes)
    end = start + len(page)
    return ListPage(entries=page, next_token=_token(end - 1, name(page[-1])) if end < len(entries) else "")


def _start(entries: Sequence[Entry], name: Callable[[Entry], str], token: str) -> int:
    if not token:
        return 0
    place, last = _read(token)
    if place < len(entries) and name(entries[place]) == last:
        return place + 1
    # The list has changed: behind the entry if it is there still, and otherwise where it stood.
    return next((number + 1 for number, entry in enumerate(entries) if name(entry) == last), place)


def _token(place: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{place}:{name}".encode()).decode("ascii")


def _read(token: str) -> tuple[int, str]:
    try:
        place, colon, name = (
            base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode().partition(":")
        )
        if colon and place.isascii() and place.isdigit() and len(place) < 10:
            return int(place), name
    except (binascii.Error, UnicodeError):
        pass
    raise InvalidArgument(
        "the page token is not one that this platform made",
        reason="PAGE_TOKEN",
        field="page_token",
        mend="Repeat the request with an empty page token to start from the first page.",
    )
