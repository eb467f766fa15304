"""A page of a list from which what the caller may not see is left out, by the position behind which it goes on."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.rpc.list_pages import ListPage

Entry = TypeVar("Entry")


async def page_of(
    read: Callable[[str, int], Awaitable[Sequence[Entry]]],
    *,
    seen: Callable[[Entry], bool],
    position: Callable[[Entry], str],
    size: int,
    token: str,
    tokens: PageTokens,
    query: str,
) -> ListPage[Entry]:
    """The next `size` entries that are seen. Raises InvalidArgument (PAGE_TOKEN).

    Args:
        read: at most so many entries behind a position, in their order; "" stands before all of them.
        position: of an entry; never empty.
        query: tells this list, with its conditions, from all others.
    """
    after = tokens.read(token, query=query)
    found: list[Entry] = []
    while len(found) <= size:
        part = await read(after, size + 1)
        found += filter(seen, part)
        if len(part) <= size:
            break
        after = position(part[-1])
    more = position(found[size - 1]) if len(found) > size else ""
    return ListPage(entries=found[:size], next_token=tokens.make(more, query=query))
