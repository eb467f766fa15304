"""Code bundles and input files on their way to and from the object store.

Clients that can reach the store are given URLs; for the others the bytes go through admin. What goes through is
stored only if digest and size are what was announced, so an object under a digest is always that content.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from flyteplane.admin.application.ports import ProjectStore
from flyteplane.admin.application.setting_rules import check_place
from flyteplane.admin.domain.object_name import Upload
from flyteplane.admin.domain.project import refuse_closed, unknown_project
from flyteplane.foundation.errors import DataLoss, InvalidArgument, NotFound
from flyteplane.objects import ObjectStore

CHUNK_BYTES: Final = 1 << 20
URL_EXPIRES_IN_S: Final = 900.0


class ObjectAddresses(Protocol):
    """How objects of the store are spoken of outside of it."""

    def uri_of(self, key: str) -> str:
        """The URI of an object, for tasks."""

    def key_of(self, uri: str) -> str:
        """The key that a URI names. Raises NotFound if it is not one of this store's."""

    async def upload_url(self, key: str, *, expires_in_s: float) -> str:
        """Where a client may put the object itself; empty if it has to go through admin."""

    async def download_url(self, key: str, *, expires_in_s: float) -> str:
        """Where a client may get the object itself; empty if it has to go through admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlace:
    """Where an object is to be put."""

    exists: bool
    """Nothing is to be done: the object is there."""
    url: str
    """Empty: upload through admin."""
    uri: str
    expires_in_s: float


class Objects:
    """The use cases of objects. One instance serves all calls.

    Args:
        scratch: folder for uploads that are under way.
    """

    def __init__(
        self, *, store: ObjectStore, addresses: ObjectAddresses, projects: ProjectStore, scratch: Path | None = None
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._projects = projects
        self._scratch = scratch

    async def place(self, upload: Upload) -> UploadPlace:
        """Where to put an object. Raises InvalidArgument, NotFound (project)."""
        await self._refuse_place(upload)
        present = await self._store.head(upload.key)
        exists = present is not None and present.size_bytes == upload.size_bytes
        return UploadPlace(
            exists=exists,
            url="" if exists else await self._addresses.upload_url(upload.key, expires_in_s=URL_EXPIRES_IN_S),
            uri=self._addresses.uri_of(upload.key),
            expires_in_s=URL_EXPIRES_IN_S,
        )

    async def upload(self, upload: Upload, pieces: AsyncIterator[bytes]) -> str:
        """Store an object whose content comes in pieces; returns its URI.

        Raises InvalidArgument (size), DataLoss (other digest), NotFound (project).
        """
        await self._refuse_place(upload)
        with tempfile.NamedTemporaryFile(prefix="upload-", dir=self._scratch) as file:
            await self._receive(upload, pieces, file)
            await self._store.put_if_absent(upload.key, Path(file.name))
        return self._addresses.uri_of(upload.key)

    async def download_url(self, uri: str) -> str:
        """From where to get an object; empty if it has to come through admin. Raises NotFound."""
        key = self._addresses.key_of(uri)
        if await self._store.head(key) is None:
            raise _missing(uri)
        return await self._addresses.download_url(key, expires_in_s=URL_EXPIRES_IN_S)

    async def download(self, uri: str) -> AsyncIterator[bytes]:
        """An object's content in pieces of 1 MiB. Raises NotFound."""
        key = self._addresses.key_of(uri)
        found = await self._store.head(key)
        if found is None:
            raise _missing(uri)
        for offset in range(0, found.size_bytes, CHUNK_BYTES):
            yield await self._store.get_range(key, offset=offset, length=CHUNK_BYTES)

    async def _refuse_place(self, upload: Upload) -> None:
        check_place(upload.project, domain=upload.domain)
        project = await self._projects.get(upload.project)
        if project is None:
            raise unknown_project(upload.project, field="project")
        refuse_closed(project, domain=upload.domain, field="")

    async def _receive(self, upload: Upload, pieces: AsyncIterator[bytes], file: IO[bytes]) -> None:
        total = hashlib.sha256()
        size = 0
        async for piece in pieces:
            size += len(piece)
            if size > upload.size_bytes:
                break
            await asyncio.to_thread(_write, file, total, piece)
        if size != upload.size_bytes:
            raise InvalidArgument(
                f"{size} bytes or more were sent, and {upload.size_bytes} were announced",
                reason="OBJECT_SIZE",
                field="size_bytes",
                mend="Announce the size of the content that is sent.",
            )
        if total.digest() != upload.sha256:
            raise DataLoss("the content has another digest than was announced", reason="OBJECT_DIGEST")
        await asyncio.to_thread(file.flush)


def _write(file: IO[bytes], total: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    total.update(piece)


def _missing(uri: str) -> NotFound:
    return NotFound(f"there is no object {uri!r}", reason="OBJECT_NOT_FOUND", field="uri")
