"""The heart of every mirror: a copy of keys, and the changes of it that its reader has not taken yet.

The side that feeds it never waits: what a slow reader has not taken is merged key by key, so that it costs no more
memory than the keys themselves.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import MappingProxyType

from flyteplane.coordination.values import Change, KeyValue


class MirroredKeys:
    """A copy of some keys at a revision, and its unread changes. Fed by one side, read by one reader."""

    def __init__(self) -> None:
        self._keys: dict[str, KeyValue] = {}
        self._revision = 0
        self._pending = PendingChanges()

    @property
    def snapshot(self) -> Mapping[str, KeyValue]:
        """A live view of the copy."""
        return MappingProxyType(self._keys)

    @property
    def revision(self) -> int:
        """The revision that the copy has reached."""
        return self._revision

    def begin(self, kept: Iterable[KeyValue], revision: int) -> None:
        """Start from these keys; they are no changes."""
        self._keys = {key_value.key: key_value for key_value in kept}
        self._revision = revision

    def write(self, current: KeyValue) -> None:
        """A key was written."""
        previous = self._keys.get(current.key)
        self._keys[current.key] = current
        self._pending.add(Change(current.key, previous, current))

    def remove(self, key: str) -> None:
        """A key is gone; nothing happens when the copy never had it."""
        if (previous := self._keys.pop(key, None)) is not None:
            self._pending.add(Change(key, previous, None))

    def reached(self, revision: int) -> None:
        """All changes up to this revision are in the copy."""
        self._revision = revision

    def replace(self, kept: Iterable[KeyValue], revision: int) -> None:
        """Make the copy equal to these keys; what differs becomes changes, removals first."""
        wanted = {key_value.key: key_value for key_value in kept}
        for key in [key for key in self._keys if key not in wanted]:
            self.remove(key)
        for key, current in wanted.items():
            if self._keys.get(key) != current:
                self.write(current)
        self._revision = revision

    def read(self) -> AsyncIterator[Sequence[Change]]:
        """The unread changes, in batches, until `close`."""
        return self._pending.read()

    def close(self) -> None:
        """End the reader's iteration after what waits."""
        self._pending.close()


class PendingChanges:
    """Changes that a reader has not taken yet, merged key by key so that a slow reader costs bounded memory."""

    def __init__(self) -> None:
        self._changes: dict[str, Change] = {}
        self._arrived = asyncio.Event()
        self._closed = False

    def add(self, change: Change) -> None:
        """Queue a change; it takes the place of an unread one of the same key."""
        waiting = self._changes.pop(change.key, None)
        merged = change if waiting is None else Change(change.key, waiting.previous, change.current)
        if merged.previous is not None or merged.current is not None:
            self._changes[change.key] = merged
            self._arrived.set()

    def close(self) -> None:
        """End the reader's iteration after what waits."""
        self._closed = True
        self._arrived.set()

    async def read(self) -> AsyncIterator[Sequence[Change]]:
        """Batches of changes, none of them empty."""
        while not self._closed or self._changes:
            await self._arrived.wait()
            self._arrived.clear()
            if self._changes:
                batch = list(self._changes.values())
                self._changes.clear()
                yield batch
