"""Lists that change while somebody looks: what the platform says has changed is read again, and new rows are sent.

The platform says that there is something new, and not what. So rows are compared here with those that were sent before:
a page is told the order of its rows, and those rows that are not as it has them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import TypeAlias

from flyteplane.console.live import Message
from flyteplane.console.pacing import paced

Lists: TypeAlias = Mapping[str, Mapping[str, str]]
"""By the id of the element that holds a list: its rows in their order, as HTML by the id of their element."""


class SentRows:
    """What one reader was sent."""

    def __init__(self) -> None:
        self._sent: dict[str, Mapping[str, str]] = {}

    def messages(self, lists: Lists) -> Iterator[Message]:
        """What brings the reader up to date."""
        for name, rows in lists.items():
            before = self._sent.get(name, {})
            changed = {key: html for key, html in rows.items() if before.get(key) != html}
            if changed or name not in self._sent or list(before) != list(rows):
                self._sent[name] = rows
                yield Message(kind="list", data={"list": name, "order": list(rows), "rows": changed})


async def follow_lists(
    changes: AsyncIterable[object], read: Callable[[], Awaitable[Lists]]
) -> AsyncGenerator[Message, None]:
    """Reads lists again each time that something has changed. Raises what the stream of changes or the reading raises.

    Args:
        changes: a message for each change, whatever is in it; the first at once.
    """
    sent = SentRows()
    async with aclosing(paced(changes)) as times:
        async for _ in times:
            for message in sent.messages(await read()):
                yield message
