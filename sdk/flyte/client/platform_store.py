"""Data in the platform's object store, for programs that hold no credentials of it: `flyte.storage` asks here.

Addresses of the platform's own store are read by signed URLs or through the platform. Any other address is the user's
own affair, and so is writing: files get into the platform's store by being uploaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from flyte.storage import remote_objects
from flyte.syncify import syncify

#: Addresses of stores that a platform may have.
SCHEME: Final = "s3://"


class PlatformStore:
    """A transport of `flyte.storage` for addresses that may be the platform's."""

    def __init__(self) -> None:
        self._root: str | None = None

    def put_bytes(self, data: bytes, uri: str) -> None:
        """Write an object of the user's own store."""
        remote_objects.put_bytes(data, uri)

    def put_file(self, path: Path, uri: str) -> None:
        """Write an object of the user's own store from a file."""
        remote_objects.put_file(path, uri)

    def get_bytes(self, uri: str) -> bytes:
        """Return an object as a whole. Raises FileNotFoundError."""
        if not self._is_ours(uri):
            return remote_objects.get_bytes(uri)
        with self.open_read(uri) as file:
            return file.read()

    def get_file(self, uri: str, path: Path) -> None:
        """Write an object to a file. Raises FileNotFoundError."""
        if self._is_ours(uri):
            _download(uri, path)
        else:
            remote_objects.get_file(uri, path)

    def size_of(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if there is none."""
        if not self._is_ours(uri):
            return remote_objects.size_of(uri)
        return next((size for found, size in _listed(uri) if found == uri), None)

    def list_sizes(self, uri: str) -> Iterator[tuple[str, int]]:
        """Yield address and size of each object below a prefix."""
        return iter(_listed(uri.rstrip("/"))) if self._is_ours(uri) else remote_objects.list_sizes(uri)

    def open_read(self, uri: str) -> BinaryIO:
        """Open an object for reading. Raises FileNotFoundError."""
        if not self._is_ours(uri):
            return remote_objects.open_read(uri)
        with tempfile.TemporaryDirectory(prefix="flyte-") as folder:
            copy = Path(folder, "object")
            _download(uri, copy)
            # What is open stays readable when its folder is gone.
            return copy.open("rb")

    def _is_ours(self, uri: str) -> bool:
        from flyte.errors import BaseRuntimeError

        if self._root is None:
            try:
                self._root = _store_root()
            except BaseRuntimeError:
                # A platform that does not answer is asked again; this address may be anybody's.
                return False
        return uri.startswith(self._root)


@syncify
async def _store_root() -> str:
    from flyte.client.channel import connection
    from flyteapi.admin.v1.data_service_pb2 import GetStoreRequest

    platform = connection()
    return (await platform.call(platform.data.GetStore, GetStoreRequest())).root


@syncify
async def _download(uri: str, path: Path) -> None:
    from flyte.client.channel import connection
    from flyte.remote.payloads import download_object

    await download_object(connection(), uri, path)


@syncify
async def _listed(uri: str) -> list[tuple[str, int]]:
    from flyte.client.channel import connection
    from flyteapi.admin.v1.data_service_pb2 import ListObjectsRequest

    platform = connection()
    pages = platform.stream(platform.data.ListObjects, ListObjectsRequest(uri=uri))
    return [(entry.uri, entry.size_bytes) async for page in pages for entry in page.entries]
