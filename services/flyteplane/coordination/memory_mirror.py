"""The mirror of the memory store: fed by the store inside each transaction, read at the reader's own pace."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from flyteplane.coordination.pending import MirroredKeys
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
        self._copy = MirroredKeys()

    @property
    def snapshot(self) -> Mapping[str, KeyValue]:
        return self._copy.snapshot

    @property
    def revision(self) -> int:
        return self._copy.revision

    def apply(self, changes: Sequence[Change], revision: int) -> None:
        """Called by the store for each of its transactions."""
        for change in changes:
            if not change.key.startswith(self._prefix):
                continue
            if change.current is None:
                self._copy.remove(change.key)
            else:
                self._copy.write(change.current)
        self._copy.reached(revision)

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        return self._copy.read()

    async def __aenter__(self) -> Self:
        self._copy.begin(*self._read())
        self._attach(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detach(self)
        self._copy.close()
