"""`flyte.io.File`: one file, passed between tasks by its address."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, Generic, TypeVar

from flyte.io.hashing import HashlibAccumulator, HashMethod, PrecomputedValue, as_hash_method, hash_of_file
from flyte.io.placement import named_location, new_location, stores_on_creation, upload
from flyte.io.reference import PathReference, download_target
from flyte.io.streams import AsyncStream, open_stream
from flyte.storage import objects
from flyte.storage.locations import is_remote, local_path, name_of, scheme_of

T = TypeVar("T")


class File(PathReference, Generic[T]):
    """One file in the object store or on this machine.

    `File.from_local` brings a file there, `File.new_remote` makes a new one to write to, `open` and `download` read
    it. With a `hash` two files are the same input of a cached task when their hashes are equal, without it when their
    addresses are.
    """

    __flyte_reference__: ClassVar[str] = "file"

    def __init__(
        self,
        *,
        path: str,
        name: str | None = None,
        format: str = "",
        hash: str | None = None,
        hash_method: HashMethod | None = None,
    ) -> None:
        super().__init__(path=path, name=name, format=format, hash=hash)
        self.hash_method = hash_method

    @property
    def lazy_uploader(self) -> None:
        """None: a file is brought to the platform when it is made, or when it becomes an input."""
        return None

    @classmethod
    def from_existing_remote(cls, remote_path: str, file_cache_key: str | None = None) -> File[T]:
        """Refer to a file that exists already; `file_cache_key` serves as its hash."""
        return cls(path=remote_path, hash=file_cache_key)

    @classmethod
    def new_remote(cls, file_name: str | None = None, hash_method: HashMethod | str | None = None) -> File[T]:
        """Make a file to write to with `open("wb")`, at an address of its own.

        A `hash_method` is fed with what is written; a text is the hash itself.
        """
        method = as_hash_method(hash_method)
        known = method.result() if isinstance(method, PrecomputedValue) else None
        return cls(path=new_location(file_name), hash=known, hash_method=method)

    @classmethod
    def named_remote(cls, name: str) -> File[T]:
        """Make a file whose address follows from its name: a later attempt finds what an earlier one wrote."""
        return cls(path=named_location(name), name=name)

    @classmethod
    def from_local_sync(
        cls,
        local_path: str | Path,
        remote_destination: str | None = None,
        hash_method: HashMethod | str | None = None,
        chunk_size: int | None = None,
        max_concurrency: int | None = None,
    ) -> File[T]:
        """Bring a file of this machine to where other tasks can read it.

        Inside of a task it is copied below the attempt's prefix (or to `remote_destination`), and its hash is the
        SHA-256 of its content unless a `hash_method` says otherwise. Without a task and a platform it stays in place.

        Raises FileNotFoundError.
        """
        source = Path(local_path)
        if not source.is_file():
            raise FileNotFoundError(f"{source} is not a file")
        method = as_hash_method(hash_method)
        if remote_destination is None and not stores_on_creation():
            known = hash_of_file(source, method) if method is not None else None
            return cls._of_local(source, str(source), known)
        address = None if remote_destination else upload(source, name=source.name)
        digest = hash_of_file(source, method or HashlibAccumulator.from_hash_name("sha256")) if address else None
        if address is None:
            address = remote_destination or new_location(source.name)
            digest = _copy_hashing(source, address, method)
        return cls._of_local(source, address, digest)

    @classmethod
    async def from_local(
        cls,
        local_path: str | Path,
        remote_destination: str | None = None,
        hash_method: HashMethod | str | None = None,
        chunk_size: int | None = None,
        max_concurrency: int | None = None,
    ) -> File[T]:
        """Do the same as `from_local_sync`, without blocking the event loop."""
        return await asyncio.to_thread(cls.from_local_sync, local_path, remote_destination, hash_method)

    @contextmanager
    def open_sync(
        self,
        mode: str = "rb",
        block_size: int | None = None,
        cache_type: str = "readahead",
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Iterator[IO[Any]]:
        """Open the file: `with file.open_sync("rb") as stream`. What is written appears when the block ends.

        `compression` is "gzip", "bz2", "xz" or "infer". The parameters about blocks and caches are accepted for
        programs of the peer SDK and need not be tuned here; `encoding`, `errors` and `newline` are those of text.
        """
        writes = "r" not in mode
        text: dict[str, Any] = {name: kwargs[name] for name in ("encoding", "errors", "newline") if name in kwargs}
        with open_stream(self.path, mode, compression=compression, hash_method=self.hash_method, text=text) as stream:
            yield stream
        if writes:
            self._size_bytes = objects.size_of(self.path)
            self.hash = self.hash_method.result() if self.hash_method is not None else None

    @asynccontextmanager
    async def open(
        self,
        mode: str = "rb",
        block_size: int | None = None,
        cache_type: str = "readahead",
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AsyncStream]:
        """Do the same as `open_sync`; the calls of the stream are awaited: `await stream.read()`."""
        with self.open_sync(mode, compression=compression, **kwargs) as stream:
            yield AsyncStream(stream, in_thread=is_remote(self.path))

    def download_sync(self, local_path: str | Path | None = None) -> str:
        """Return the path of a copy on this machine, by default in a new temporary folder.

        A file that was given by a plain path is not copied unless a path is asked for. Raises FileNotFoundError.
        """
        if local_path is None and not scheme_of(self.path):
            if not self.exists_sync():
                raise FileNotFoundError(f"There is no file {self.path}")
            return self.path
        return objects.get_file(self.path, download_target(local_path, self.name or name_of(self.path)))

    async def download(self, local_path: str | Path | None = None) -> str:
        """Do the same as `download_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.download_sync, local_path)

    def exists_sync(self) -> bool:
        """Tell whether the file is there."""
        return objects.size_of(self.path) is not None

    async def exists(self) -> bool:
        """Do the same as `exists_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.exists_sync)

    def _known_hash(self) -> str | None:
        """Return the hash; that of a file at a plain path is its content's, since what is there may change."""
        if self.hash is not None or scheme_of(self.path):
            return self.hash
        try:
            return hash_of_file(self.path, HashlibAccumulator.from_hash_name("sha256"))
        except OSError:  # Not here, or not for us: whoever reads it will say so.
            return None

    @classmethod
    def _of_local(cls, source: Path, address: str, digest: str | None) -> File[T]:
        file = cls(path=address, name=source.name, hash=digest)
        file._size_bytes = source.stat().st_size
        return file


def _copy_hashing(source: Path, address: str, method: HashMethod | None) -> str:
    """Copy a file and return its hash, reading it once."""
    accumulator = method or HashlibAccumulator.from_hash_name("sha256")
    if not is_remote(address) and local_path(address).exists() and os.path.samefile(source, local_path(address)):
        return hash_of_file(source, accumulator)
    with source.open("rb") as read, objects.open_write(address) as written:
        while piece := read.read(1024 * 1024):
            accumulator.update(piece)
            written.write(piece)
    return accumulator.result()
