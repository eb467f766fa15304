"""What workers read and write of the object store: their code, their values, their files.

A worker in a pod holds no credentials of the store. It says who it is with the token of its attempt, and is given what
the rules in `domain.worker_access` allow.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from flyteplane.foundation.digest import is_digest
from flyteplane.foundation.errors import NotFound, Unauthenticated, Unavailable
from flyteplane.objects import ObjectStore
from flyteplane.rpc.tokens import REFUSED, Claims
from flyteplane.scheduler.application.attempt_tokens import AttemptTokens, Verifier
from flyteplane.scheduler.application.worker_objects import MOST_OBJECT_BYTES, Entries, WorkerObjects
from flyteplane.scheduler.domain.worker_access import Reader

_BEARER: Final = "Bearer "


class WorkerData:
    """The use cases of workers' data. One instance serves all calls.

    Args:
        data_prefix: URI under which attempts keep their data; ends in "/data/".
        still_to_begin: whether the attempt that these claims name is current and has not begun: its token holds for as
            long, however old it is. By default no token holds beyond its time.
        told: that the worker of a lease cannot read its code just now, and why.
        scratch: folder for objects that are being written.
        most_bytes: longest object that is taken.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        verifier: Verifier,
        data_prefix: str,
        still_to_begin: Callable[[Claims], bool] = lambda claims: False,
        told: Callable[[int, str], None] = lambda lease, words: None,
        scratch: Path | None = None,
        most_bytes: int = MOST_OBJECT_BYTES,
    ) -> None:
        self._objects = objects
        self._told = told
        self._tokens = AttemptTokens(verifier, still_to_begin=still_to_begin)
        self._reach = WorkerObjects(objects, data_prefix=data_prefix, scratch=scratch, most_bytes=most_bytes)

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
            lease=claims.lease,
        )

    async def bundle(self, reader: Reader, digest: str) -> AsyncIterator[bytes]:
        """A packed code bundle in pieces. Raises NotFound, Unavailable."""
        try:
            async for piece in self._bundle(digest):
                yield piece
        except Unavailable as error:
            self._told(reader.lease, f"The worker cannot read its code yet: {error.public_text}")
            raise

    async def _bundle(self, digest: str) -> AsyncIterator[bytes]:
        key = f"bundles/{digest}.tar.gz"
        if not is_digest(digest) or await self._objects.head(key) is None:
            raise NotFound(
                "there is no such code bundle",
                reason="BUNDLE_NOT_FOUND",
                field="digest",
                mend="Submit the run again; the SDK uploads what is missing.",
            )
        async for piece in self._reach.pieces(key):
            yield piece

    async def read(self, reader: Reader, uri: str, *, offset: int, length: int) -> AsyncIterator[bytes]:
        """See `WorkerObjects`."""
        async for piece in self._reach.read(reader, uri, offset=offset, length=length):
            yield piece

    async def write(self, reader: Reader, uri: str, pieces: AsyncIterator[bytes]) -> int:
        """See `WorkerObjects`."""
        return await self._reach.write(reader, uri, pieces)

    async def list(self, reader: Reader, uri: str) -> AsyncIterator[Entries]:
        """See `WorkerObjects`."""
        async for entries in self._reach.list(reader, uri):
            yield entries
