"""The mirror of the memory store: fed by the store inside each transaction, read at the reader's own pace."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Self

from flyteplane.coordination.values import Change, KeyValue


class MemoryMirror:
    """See `Mirror`."""

    def __init__(
        self,
        read: Callable[[], tuple[Sequence[KeyValue], int]],
        prefix: str,
        attach: Callable[["MemoryMirror"], None],
        detach: Callable[["MemoryMirror"], None],
    ) -> None:
        self._read = read
        self._prefix = prefix
        self._attach = attach
        self._detach = detach
        self._keys: dict[str, KeyValue] = {}
        self._revision = 0
        self._pending = PendingChanges()

    @property
    def snapshot(self) -> Mapping[str, KeyValue]:
        return MappingProxyType(self._keys)

    @property
    def revision(self) -> int:
        return self._revision

    def apply(self, changes: Sequence[Change], revision: int) -> None:
        """Called by the store for each of its transactions."""
        self._revision = revision
        for change in changes:
            if not change.key.startswith(self._prefix):
                continue
            if change.current is None:
                self._keys.pop(change.key, None)
            else:
                self._keys[change.key] = change.current
            self._pending.add(change)

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        return self._pending.read()

    async def __aenter__(self) -> Self:
        kept, self._revision = self._read()
        self._keys = {key_value.key: key_value for key_value in kept}
        self._attach(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detach(self)
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
