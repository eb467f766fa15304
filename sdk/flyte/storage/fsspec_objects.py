"""Objects of stores that fsspec knows and obstore does not, such as `hf://` or `sftp://`, and of its memory.

The memory of this process is one place for everybody: what a library writes to `memory://` through fsspec is there for
`flyte.io.File`, and the other way round. Nothing of this is used where fsspec is not installed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast


def objects_of_fsspec(uri: str) -> FsspecObjects | None:
    """Return how an address is reached, or None where fsspec is missing or does not know the scheme.

    Raises ImportError for a scheme whose own library is not installed.
    """
    try:
        filesystem, _ = import_module("fsspec.core").url_to_fs(uri)
    except (ModuleNotFoundError, ValueError):
        return None
    return FsspecObjects(filesystem)


class FsspecObjects:
    """A transport over a file system of fsspec."""

    def __init__(self, filesystem: Any) -> None:
        self._filesystem = filesystem

    def put_bytes(self, data: bytes, uri: str) -> None:
        """Write an object as a whole."""
        self._filesystem.pipe_file(self._prepared(uri), data)

    def put_file(self, path: Path, uri: str) -> None:
        """Write an object from a file."""
        self._filesystem.put_file(str(path), self._prepared(uri))

    def get_bytes(self, uri: str) -> bytes:
        """Return an object as a whole. Raises FileNotFoundError."""
        return bytes(self._filesystem.cat_file(uri))

    def get_file(self, uri: str, path: Path) -> None:
        """Write an object to a file. Raises FileNotFoundError."""
        self._refuse_absent(uri)
        self._filesystem.get_file(uri, str(path))

    def size_of(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if there is none."""
        try:
            found = self._filesystem.info(uri)
        except FileNotFoundError:
            return None
        return int(found["size"] or 0) if found["type"] == "file" else None

    def list_sizes(self, uri: str) -> Iterator[tuple[str, int]]:
        """Yield address and size of each object below a prefix, or of the object itself."""
        root = self._filesystem._strip_protocol(uri)
        try:
            found = self._filesystem.find(uri, detail=True)
        except FileNotFoundError:
            return
        for name, entry in found.items():
            yield uri.rstrip("/") + name.removeprefix(root.rstrip("/")), int(entry["size"] or 0)

    def open_read(self, uri: str) -> BinaryIO:
        """Open an object for reading. Raises FileNotFoundError."""
        if self._filesystem.protocol == "memory":
            # A file of that memory has one position for all its readers.
            return io.BytesIO(self.get_bytes(uri))
        self._refuse_absent(uri)
        return cast(BinaryIO, self._filesystem.open(uri, "rb"))

    def _prepared(self, uri: str) -> str:
        self._filesystem.makedirs(self._filesystem._parent(uri), exist_ok=True)
        return uri

    def _refuse_absent(self, uri: str) -> None:
        if self.size_of(uri) is None:
            raise FileNotFoundError(f"There is no object {uri}")
