"""`flyte.io.Dir`: all files below a prefix, passed between tasks by its address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from flyte.io.file import File
from flyte.io.hashing import content_hash
from flyte.io.placement import StoredData, new_location, stores_on_creation, upload
from flyte.io.reference import PathReference, download_target
from flyte.storage import objects
from flyte.storage.locations import is_remote, join, local_path, name_of, scheme_of

T = TypeVar("T")


class Dir(PathReference, Generic[T]):
    """A folder in the object store or on this machine."""

    __flyte_reference__: ClassVar[str] = "dir"

    @classmethod
    def __flyte_restore__(cls, stored: StoredData) -> Dir[T]:
        return super().__flyte_restore__(stored) if stored.uri else EmptyDir()

    @property
    def lazy_uploader(self) -> None:
        """None: a folder is brought to the platform when it is made."""
        return None

    @property
    def is_empty(self) -> bool:
        """Whether this stands for no folder at all."""
        return False

    @classmethod
    def empty(cls) -> Dir[T]:
        """Make a value that stands for no folder."""
        return EmptyDir()

    @classmethod
    def from_existing_remote(cls, remote_path: str, dir_cache_key: str | None = None) -> Dir[T]:
        """Refer to a folder that exists already; `dir_cache_key` serves as its hash."""
        return cls(path=remote_path, hash=dir_cache_key)

    @classmethod
    def new_remote(cls, dir_name: str | None = None, hash: str | None = None) -> Dir[T]:
        """Make a folder to write to, at an address of its own."""
        return cls(path=new_location(dir_name), hash=hash)

    @classmethod
    def from_local_sync(
        cls,
        local_path: str | Path,
        remote_destination: str | None = None,
        dir_cache_key: str | None = None,
        batch_size: int | None = None,
        chunk_size: int | None = None,
        max_concurrency: int | None = None,
    ) -> Dir[T]:
        """Bring a folder of this machine to where other tasks can read it.

        Without a task and a platform it stays where it is. Its hash is that of its files' names and contents unless
        `dir_cache_key` says otherwise. Raises FileNotFoundError.
        """
        source = Path(local_path)
        if not source.is_dir():
            raise FileNotFoundError(f"{source} is not a folder")
        if remote_destination is None and not stores_on_creation():
            return cls(path=str(source), name=source.name, hash=dir_cache_key or content_hash(source))
        address = None if remote_destination else upload(source.resolve(), name=source.resolve().name)
        if address is None:
            address = remote_destination or new_location(source.resolve().name)
            objects.put_folder(source, address)
        folder = cls(path=address, name=source.name, hash=dir_cache_key or content_hash(source))
        folder._size_bytes = sum(file.stat().st_size for file in objects.files_below(source))
        return folder

    @classmethod
    async def from_local(
        cls,
        local_path: str | Path,
        remote_destination: str | None = None,
        dir_cache_key: str | None = None,
        batch_size: int | None = None,
        chunk_size: int | None = None,
        max_concurrency: int | None = None,
    ) -> Dir[T]:
        """Do the same as `from_local_sync`, without blocking the event loop."""
        return await asyncio.to_thread(cls.from_local_sync, local_path, remote_destination, dir_cache_key)

    def walk_sync(
        self, recursive: bool = True, file_pattern: str = "*", max_depth: int | None = None
    ) -> Iterator[File[T]]:
        """Yield the files whose names match, in the order of their addresses.

        `max_depth` counts folders below this one; 1 and `recursive=False` both mean this folder only.
        """
        deepest = 1 if not recursive else max_depth
        for found in objects.list_objects(self.path):
            name = objects.relative_name(found.uri, self.path)
            if deepest is not None and name.count("/") >= deepest:
                continue
            if fnmatch(name_of(found.uri), file_pattern):
                file = File[T](path=found.uri)
                file._size_bytes = found.size_bytes
                yield file

    async def walk(self, recursive: bool = True, max_depth: int | None = None) -> AsyncIterator[File[T]]:
        """Do the same as `walk_sync`, without blocking the event loop."""
        for file in await asyncio.to_thread(list, self.walk_sync(recursive, max_depth=max_depth)):
            yield file

    def list_files_sync(self) -> list[File[T]]:
        """Return the files of this folder, not of those below."""
        return list(self.walk_sync(recursive=False))

    async def list_files(self) -> list[File[T]]:
        """Do the same as `list_files_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.list_files_sync)

    def get_file_sync(self, file_name: str) -> File[T] | None:
        """Return a file by its name, which may have folders in front, or None if there is none."""
        address = join(self.path, file_name)
        size = objects.size_of(address)
        if size is None:
            return None
        file = File[T](path=address)
        file._size_bytes = size
        return file

    async def get_file(self, file_name: str) -> File[T] | None:
        """Do the same as `get_file_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.get_file_sync, file_name)

    def download_sync(self, local_path: str | Path | None = None) -> str:
        """Return the path of a copy on this machine, by default in a new temporary folder.

        A folder that was given by a plain path is not copied unless a path is asked for. Raises FileNotFoundError.
        """
        if not self.exists_sync():
            raise FileNotFoundError(f"There is nothing below {self.path}")
        if local_path is None and not scheme_of(self.path):
            return self.path
        target = Path(local_path) if local_path is not None else download_target(None, self.name or "data")
        return objects.get_folder(self.path, target)

    async def download(self, local_path: str | Path | None = None) -> str:
        """Do the same as `download_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.download_sync, local_path)

    def exists_sync(self) -> bool:
        """Tell whether the folder is there, or for a remote store whether anything is in it."""
        if not is_remote(self.path):
            return local_path(self.path).is_dir()
        return objects.exists(self.path)

    async def exists(self) -> bool:
        """Do the same as `exists_sync`, without blocking the event loop."""
        return await asyncio.to_thread(self.exists_sync)


class EmptyDir(Dir[T]):
    """No folder: what `Dir.empty()` makes."""

    def __init__(self, *, path: str = "", name: str | None = None, format: str = "", hash: str | None = None) -> None:
        super().__init__(path=path, name=name, format=format, hash=hash)

    @property
    def is_empty(self) -> bool:
        """Whether this stands for no folder at all: it does."""
        return True

    def walk_sync(
        self, recursive: bool = True, file_pattern: str = "*", max_depth: int | None = None
    ) -> Iterator[File[T]]:
        """Yield nothing."""
        yield from ()

    def get_file_sync(self, file_name: str) -> File[T] | None:
        """Return None: there is no file."""
        return None

    def download_sync(self, local_path: str | Path | None = None) -> str:
        """Return the path of an empty folder, made if it is not there."""
        target = Path(local_path) if local_path is not None else download_target(None, self.name or "data")
        target.mkdir(parents=True, exist_ok=True)
        return str(target)

    def exists_sync(self) -> bool:
        """Tell that there is no folder."""
        return False
