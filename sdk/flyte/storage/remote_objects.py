"""Objects of remote stores, through obstore's blocking interface.

The asynchronous interface is not used: at the exit of the interpreter it can abort the process, and a worker must never
report that.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from flyte.storage.locations import scheme_of, split_remote
from flyte.storage.options import options_for

_CHUNK_BYTES: Final = 8 * 1024 * 1024

_stores: dict[str, Any] = {}


def forget_stores() -> None:
    """Make new clients from now on, as after a change of how stores are reached."""
    _stores.clear()


def put_bytes(data: bytes, uri: str) -> None:
    """Write an object as a whole."""
    import obstore

    store, key = _locate(uri)
    obstore.put(store, key, data)


def put_file(path: Path, uri: str) -> None:
    """Write an object from a file, in parts if it is large."""
    import obstore

    store, key = _locate(uri)
    obstore.put(store, key, path)


def get_bytes(uri: str) -> bytes:
    """Return an object as a whole. Raises FileNotFoundError."""
    import obstore

    store, key = _locate(uri)
    with _absence_told(uri):
        return bytes(obstore.get(store, key).bytes())


def get_file(uri: str, path: Path) -> None:
    """Write an object to a file, piece by piece. Raises FileNotFoundError."""
    with open_read(uri) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, _CHUNK_BYTES)


def size_of(uri: str) -> int | None:
    """Return the size of an object in bytes, or None if there is none."""
    import obstore

    store, key = _locate(uri)
    if not key:
        return None
    try:
        return int(obstore.head(store, key)["size"])
    except FileNotFoundError:
        return None


def list_sizes(uri: str) -> Iterator[tuple[str, int]]:
    """Yield the URI and size of each object below a prefix, in no particular order."""
    import obstore

    store, key = _locate(uri)
    root = split_remote(uri)[0]
    for batch in obstore.list(store, prefix=key or None):
        for entry in batch:
            yield f"{root}/{entry['path']}", int(entry["size"])


def open_read(uri: str) -> BinaryIO:
    """Open an object for reading. Raises FileNotFoundError."""
    import obstore

    store, key = _locate(uri)
    with _absence_told(uri):
        return cast(BinaryIO, io.BufferedReader(_RawReader(obstore.open_reader(store, key)), _CHUNK_BYTES))


def open_write(uri: str) -> BinaryIO:
    """Open a new object for writing; it is there once the writer was closed."""
    import obstore

    store, key = _locate(uri)
    return cast(BinaryIO, obstore.open_writer(store, key))


@contextmanager
def _absence_told(uri: str) -> Iterator[None]:
    """Say which object is not there, in one line: the library tells of its request instead."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no object {uri}") from None


def _locate(uri: str) -> tuple[Any, str]:
    root, key = split_remote(uri)
    store = _stores.get(root)
    if store is None:
        store = _stores[root] = _open_store(root)
    return store, key


def _open_store(root: str) -> Any:
    from obstore.store import MemoryStore, from_url

    scheme = scheme_of(root)
    # A store in the memory of this process, one for each bucket: for tests of programs that use remote stores.
    return MemoryStore() if scheme == "memory" else from_url(root, **options_for(scheme))


class _RawReader(io.RawIOBase):
    """The reader of the store as Python's own kind of file."""

    def __init__(self, source: Any) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read(len(buffer))
        count = len(piece)
        buffer[:count] = bytes(piece)
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._source.seek(offset, whence))

    def tell(self) -> int:
        return int(self._source.tell())

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()
