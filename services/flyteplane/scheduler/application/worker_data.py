"""What workers read and write of the object store: their code, their values, their files.

A worker in a pod holds no credentials of the store. It says who it is with the token of its attempt, and is given what
the rules in `domain.worker_access` allow. An object is spooled on this machine until it is whole, and only then stored.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from flyteplane.foundation.digest import is_digest
from flyteplane.foundation.errors import InvalidArgument, NotFound, Unauthenticated
from flyteplane.objects import ObjectInfo, ObjectStore
from flyteplane.rpc.tokens import REFUSED, Claims
from flyteplane.scheduler.application.attempt_tokens import AttemptTokens, Verifier
from flyteplane.scheduler.domain.worker_access import Reader, WorkerAddresses

PIECE_BYTES: Final = 1 << 20
#: Longest object that a worker can write.
MOST_OBJECT_BYTES: Final = 50 << 30
_BEARER: Final = "Bearer "
_PAGE: Final = 1000

#: Addresses and sizes.
Entries: TypeAlias = list[tuple[str, int]]


class WorkerData:
    """The use cases of workers' data. One instance serves all calls.

    Args:
        data_prefix: URI under which attempts keep their data; ends in "/data/".
        runs_still: whether the attempt that these claims name is under way: its token holds for as long, however old it
            is. By default no token holds beyond its time.
        scratch: folder for objects that are being written.
        most_bytes: longest object that is taken.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        verifier: Verifier,
        data_prefix: str,
        runs_still: Callable[[Claims], bool] = lambda claims: False,
        scratch: Path | None = None,
        most_bytes: int = MOST_OBJECT_BYTES,
    ) -> None:
        self._objects = objects
        self._tokens = AttemptTokens(verifier, runs_still=runs_still)
        self._addresses = WorkerAddresses(data_prefix)
        self._scratch = scratch
        self._most_bytes = most_bytes

    def reader(self, authorization: str) -> Reader:
        """Who calls, by the value of the "authorization" metadata. Raises Unauthenticated."""
        if not authorization.startswith(_BEARER):
            raise Unauthenticated(
                "the call has no token",
                reason=REFUSED,
                mend="Send the attempt's token as 'authorization: Bearer TOKEN'.",
            )
        claims = self._tokens.claims(authorization.removeprefix(_BEARER))
        return Reader(
            project=claims.project,
            domain=claims.domain,
            run=claims.run,
            action=claims.action,
            attempt=claims.attempt,
        )

    async def bundle(self, reader: Reader, digest: str) -> AsyncIterator[bytes]:
        """A packed code bundle in pieces. Raises NotFound."""
        key = f"bundles/{digest}.tar.gz"
        if not is_digest(digest) or await self._objects.head(key) is None:
            raise NotFound(
                "there is no such code bundle",
                reason="BUNDLE_NOT_FOUND",
                field="digest",
                mend="Submit the run again; the SDK uploads what is missing.",
            )
        async for piece in self._pieces(key, offset=0, length=0):
            yield piece

    async def read(self, reader: Reader, uri: str, *, offset: int, length: int) -> AsyncIterator[bytes]:
        """An object from `offset` on, `length` bytes or all for 0, in pieces. Raises PermissionDenied, NotFound."""
        key = self._addresses.key_of(uri)
        reader.refuse_reading(key)
        async for piece in self._pieces(key, offset=offset, length=length):
            yield piece

    async def _pieces(self, key: str, *, offset: int, length: int) -> AsyncIterator[bytes]:
        end = offset + length if length else None
        while end is None or offset < end:
            wanted = PIECE_BYTES if end is None else min(PIECE_BYTES, end - offset)
            piece = await self._objects.get_range(key, offset=offset, length=wanted)
            if piece:
                yield piece
            if len(piece) < wanted:
                return
            offset += len(piece)

    async def write(self, reader: Reader, uri: str, pieces: AsyncIterator[bytes]) -> int:
        """Writes an object once all its pieces are here; returns its size. Whatever `pieces` raises writes nothing.

        Raises PermissionDenied, InvalidArgument (too long).
        """
        key = self._addresses.key_of(uri)
        reader.refuse_writing(key)
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

    def _too_long(self) -> InvalidArgument:
        return InvalidArgument(
            "the object is too long",
            reason="OBJECT_TOO_LARGE",
            field="data",
            limit=f"{self._most_bytes >> 20} MiB",
            mend="Keep larger data in an object store of your own.",
        )

    async def list(self, reader: Reader, uri: str) -> AsyncIterator[Entries]:
        """Addresses and sizes of all objects below a prefix that ends in "/", or of the one that is named.

        Raises PermissionDenied.
        """
        prefix = self._addresses.prefix_of(uri)
        reader.refuse_reading(prefix)
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
