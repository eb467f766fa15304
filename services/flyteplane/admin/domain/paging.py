"""Sizes of pages: one rule for every list."""

from typing import Final

from flyteplane.foundation.errors import InvalidArgument

DEFAULT_PAGE_SIZE: Final = 100
LARGEST_PAGE_SIZE: Final = 1000


def whole_list_size(asked: int) -> int:
    """The size of a page of a list that had no pages once: `asked`, or 1,000 for 0, so that whoever knows of no pages
    still gets all there is in any platform but the largest. Raises InvalidArgument above 1,000."""
    return page_size(asked or LARGEST_PAGE_SIZE)


def page_size(asked: int) -> int:
    """The size of a page: `asked`, or 100 for 0. Raises InvalidArgument above 1,000."""
    if asked > LARGEST_PAGE_SIZE or asked < 0:
        raise InvalidArgument(
            f"a page of {asked} is too large",
            reason="PAGE_SIZE",
            field="page_size",
            limit=f"{LARGEST_PAGE_SIZE} entries",
            mend="Ask for smaller pages and follow next_page_token.",
        )
    return asked or DEFAULT_PAGE_SIZE
