"""Objects of the store as workers name them, within the rights of whoever asks.

An object is spooled on this machine until it is whole, and only then stored.
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.objects import ObjectInfo, ObjectStore
from flyteplane.scheduler.domain.worker_access import WorkerAddresses

PIECE_BYTES: Final = 1 << 20
#: Longest object that a worker can write.
MOST_OBJECT_BYTES: Final = 50 << 30
_PAGE: Final = 1000

#: Addresses and sizes.
Entries: TypeAlias = list[tuple[str, int]]


class Rights(Protocol):
    """What somebody may read and write, by keys of the store."""

    def refuse_reading(self, key: str) -> None:
        """Raises PermissionDenied for what may not be read."""

    def refuse_writing(self, key: str) -> None:
        """Raises PermissionDenied for what may not be written."""


class WorkerObjects:
    """Reads, writes and lists. One instance serves all calls.

    Args:
        data_prefix: URI under which attempts keep their data; ends in "/data/".
        scratch: folder for objects that are being written.
        most_bytes: longest object that is taken.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        data_prefix: str,
        scratch: Path | None = None,
        most_bytes: int = MOST_OBJECT_BYTES,
    ) -> None:
        self._objects = objects
        self._addresses = WorkerAddresses(data_prefix)
        self._scratch = scratch
        self._most_bytes = most_bytes

    async def read(self, rights: Rights, uri: str, *, offset: int, length: int) -> AsyncIterator[bytes]:
        """An object from `offset` on, `length` bytes or all for 0, in pieces. Raises PermissionDenied, NotFound."""
        key = self._addresses.key_of(uri)
        rights.refuse_reading(key)
        async for piece in self.pieces(key, offset=offset, length=length):
            yield piece

    async def pieces(self, key: str, *, offset: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        """The same of a key, without asking for rights. Raises NotFound."""
        end = offset + length if length else None
        while end is None or offset < end:
            wanted = PIECE_BYTES if end is None else min(PIECE_BYTES, end - offset)
            piece = await self._objects.get_range(key, offset=offset, length=wanted)
            if piece:
                yield piece
            if len(piece) < wanted:
                return
            offset += len(piece)

    async def write(self, rights: Rights, uri: str, pieces: AsyncIterator[bytes]) -> int:
        """Writes an object once all its pieces are here; returns its size. Whatever `pieces` raises writes nothing.

        Raises PermissionDenied, InvalidArgument (too long).
        """
        key = self._addresses.key_of(uri)
        rights.refuse_writing(key)
        with tempfile.NamedTemporaryFile(prefix="worker-", dir=self._scratch) as file:
            size_bytes = 0
            async for piece in pieces:
                size_bytes += len(piece)
                if size_bytes > self._most_bytes:
                    raise self._too_long()
                file.write(piece)
            file.flush()
            await self._objects.put(key, Path(file.name))
        return size_bytes

    async def list(self, rights: Rights, uri: str) -> AsyncIterator[Entries]:
        """Addresses and sizes of all objects below a prefix that ends in "/", or of the one that is named.

        Raises PermissionDenied.
        """
        prefix = self._addresses.prefix_of(uri)
        rights.refuse_reading(prefix)
        if not prefix.endswith("/"):
            found = await self._objects.head(prefix)
            yield self._entries([found] if found is not None else [], like=uri)
            return
        after = ""
        while True:
            page = await self._objects.list(prefix, after=after, limit=_PAGE)
            if page.objects:
                yield self._entries(page.objects, like=uri)
            if not page.next_after:
                return
            after = page.next_after

    def _entries(self, objects: Sequence[ObjectInfo], *, like: str) -> Entries:
        return [(self._addresses.uri_of(found.key, like=like), found.size_bytes) for found in objects]

    def _too_long(self) -> InvalidArgument:
        return InvalidArgument(
            "the object is too long",
            reason="OBJECT_TOO_LARGE",
            field="data",
            limit=f"{self._most_bytes >> 20} MiB",
            mend="Keep larger data in an object store of your own.",
        )
