"""Code bundles and input files on their way to and from the object store.

Clients that can reach the store are given URLs; for the others the bytes go through admin. Whatever comes from a client
is stored only if digest and size are what was announced, so an object under a digest is always that content. A signed
URL binds neither, and whoever has it may put again while it holds: it leads to a place of its own, from where admin
takes the content over once it has looked at it.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final, Protocol

from flyteplane.admin.application.ports import ProjectStore
from flyteplane.admin.application.setting_rules import check_place
from flyteplane.admin.domain.object_name import Upload
from flyteplane.admin.domain.project import refuse_closed
from flyteplane.foundation.absent import absent_object, absent_project
from flyteplane.foundation.errors import DataLoss, InvalidArgument, NotFound
from flyteplane.foundation.ids import IdSource
from flyteplane.objects import ObjectStore

CHUNK_BYTES: Final = 1 << 20
URL_EXPIRES_IN_S: Final = 900.0


class ObjectAddresses(Protocol):
    """How objects of the store are spoken of outside of it."""

    @property
    def root(self) -> str:
        """What all URIs begin with; ends in "/"."""

    @property
    def takes_unchecked(self) -> bool:
        """What is put at an upload URL has to be checked before it is trusted."""

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
    upload_id: str = ""
    """Not empty: what was put at the URL has to be completed under this id."""
    folder_uri: str = ""
    """Of the folder that it is in; empty if it stands by itself."""


class Objects:
    """The use cases of objects. One instance serves all calls.

    Args:
        scratch: folder for uploads that are under way.
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        addresses: ObjectAddresses,
        projects: ProjectStore,
        ids: IdSource,
        scratch: Path | None = None,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._projects = projects
        self._ids = ids
        self._scratch = scratch

    async def place(self, upload: Upload) -> UploadPlace:
        """Where to put an object. Raises InvalidArgument, NotFound (project)."""
        await self._refuse_place(upload)
        present = await self._store.head(upload.key)
        place = UploadPlace(
            exists=True,
            url="",
            uri=self._addresses.uri_of(upload.key),
            expires_in_s=URL_EXPIRES_IN_S,
            folder_uri=self._addresses.uri_of(upload.folder_key) if upload.folder else "",
        )
        if present is not None and present.size_bytes == upload.size_bytes:
            return place
        upload_id = self._ids.unique() if self._addresses.takes_unchecked else ""
        key = upload.unchecked_key(upload_id) if upload_id else upload.key
        url = await self._addresses.upload_url(key, expires_in_s=URL_EXPIRES_IN_S)
        return replace(place, exists=False, url=url, upload_id=upload_id)

    async def complete(self, upload: Upload, *, upload_id: str) -> str:
        """Check what was put at a URL and store it; returns its URI. What is not as announced is removed.

        Raises NotFound (nothing was put, project), InvalidArgument (size), DataLoss (other digest).
        """
        await self._refuse_place(upload)
        unchecked = upload.unchecked_key(upload_id)
        if await self._store.head(upload.key) is None:
            try:
                await self._take_over(upload, unchecked)
            except NotFound:
                # The same request, sent again, may have been quicker and has removed what was put.
                if await self._store.head(upload.key) is None:
                    raise
        await self._store.delete(unchecked)
        return self._addresses.uri_of(upload.key)

    async def _take_over(self, upload: Upload, unchecked: str) -> None:
        found = await self._store.head(unchecked)
        if found is None:
            raise NotFound(
                "nothing was put at the URL", reason="OBJECT_NOT_UPLOADED", field="upload_id", mend="Upload it again."
            )
        if found.size_bytes != upload.size_bytes:
            await self._store.delete(unchecked)
            raise _wrong_size(found.size_bytes, upload)
        with tempfile.NamedTemporaryFile(prefix="upload-", dir=self._scratch) as file:
            # The very bytes that were looked at are stored: the URL may still be used meanwhile.
            path = Path(file.name)
            await self._store.download(unchecked, path)
            if await asyncio.to_thread(_digest_of, path) != upload.sha256:
                await self._store.delete(unchecked)
                raise _wrong_digest()
            await self._store.put_if_absent(upload.key, path)

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
            raise absent_object(uri)
        return await self._addresses.download_url(key, expires_in_s=URL_EXPIRES_IN_S)

    async def download(self, uri: str) -> AsyncIterator[bytes]:
        """An object's content in pieces of 1 MiB. Raises NotFound."""
        key = self._addresses.key_of(uri)
        found = await self._store.head(key)
        if found is None:
            raise absent_object(uri)
        for offset in range(0, found.size_bytes, CHUNK_BYTES):
            yield await self._store.get_range(key, offset=offset, length=CHUNK_BYTES)

    @property
    def root(self) -> str:
        """What the URIs of all objects begin with; ends in "/"."""
        return self._addresses.root

    async def list(self, uri: str) -> AsyncIterator[Sequence[tuple[str, int]]]:
        """URIs and sizes of the objects below a folder, some at a time, or of the one object that the URI names.

        Raises NotFound for what is not of this store.
        """
        key = self._addresses.key_of(uri)
        if (found := await self._store.head(key)) is not None:
            yield [(uri, found.size_bytes)]
            return
        prefix, after = f"{key}/", ""
        while True:
            page = await self._store.list(prefix, after=after)
            if page.objects:
                yield [(self._addresses.uri_of(info.key), info.size_bytes) for info in page.objects]
            if not page.next_after:
                return
            after = page.next_after

    async def _refuse_place(self, upload: Upload) -> None:
        check_place(upload.project, domain=upload.domain)
        project = await self._projects.get(upload.project)
        if project is None:
            raise absent_project(upload.project, field="project")
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
            raise _wrong_size(size, upload)
        if total.digest() != upload.sha256:
            raise _wrong_digest()
        await asyncio.to_thread(file.flush)


def _write(file: IO[bytes], total: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    total.update(piece)


def _digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _wrong_size(size_bytes: int, upload: Upload) -> InvalidArgument:
    return InvalidArgument(
        f"{size_bytes} bytes or more were sent, and {upload.size_bytes} were announced",
        reason="OBJECT_SIZE",
        field="size_bytes",
        mend="Announce the size of the content that is sent.",
    )


def _wrong_digest() -> DataLoss:
    return DataLoss("the content has another digest than was announced", reason="OBJECT_DIGEST")
