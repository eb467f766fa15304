"""Lists that the platform gives a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from grpc.aio import UnaryUnaryMultiCallable

    from flyte.client.channel import Connection

Page = TypeVar("Page")


async def pages(
    platform: Connection, method: UnaryUnaryMultiCallable[Any, Page], request: Any, *, limit: int | None = None
) -> AsyncIterator[Page]:
    """Yield the answers to a request, page after page, as long as they are asked for.

    `limit` is how many entries are wanted in all, if that is known: no larger page is asked for.
    """
    most = platform.settings.batch_size
    request.page_size = most if limit is None else platform.page_size(limit)
    while True:
        page: Any = await platform.call(method, request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
