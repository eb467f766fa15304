"""A page of a list from which what the caller may not see is left out, by the position behind which it goes on."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flyteplane.admin.domain.page_token import PageTokens

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Entry]):
    """Entries, and the token of the next page; the token is empty on the last one."""

    entries: Sequence[Entry]
    next_token: str


async def page_of(
    read: Callable[[str, int], Awaitable[Sequence[Entry]]],
    *,
    seen: Callable[[Entry], bool],
    position: Callable[[Entry], str],
    size: int,
    token: str,
    tokens: PageTokens,
    query: str,
) -> Page[Entry]:
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
    return Page(entries=found[:size], next_token=tokens.make(more, query=query))
