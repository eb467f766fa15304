"""The surface of `flyte.storage` that programs for the peer SDK use: the same operations, awaited.

The blocking calls run in threads, so that the event loop goes on.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte.storage import objects
from flyte.storage.locations import join, name_of, plain_name

if TYPE_CHECKING:
    from flyte.storage.opened import OpenedObject

_STREAM_CHUNK_BYTES: Final = 10 * 1024 * 1024


async def exists(path: str, **kwargs: Any) -> bool:
    """Tell whether there is an object at an address, or any below it."""
    return await asyncio.to_thread(objects.exists, path)


def exists_sync(path: str, **kwargs: Any) -> bool:
    """Do the same, blocking."""
    return objects.exists(path)


async def get(from_path: str, to_path: str | Path | None = None, recursive: bool = False, **kwargs: Any) -> str:
    """Copy an object, or all below a prefix, to this machine and return the path.

    A path that is a folder gets the file inside of it.
    """
    target = Path(to_path) if to_path is not None else get_random_local_path(name_of(from_path))
    if recursive:
        return await asyncio.to_thread(objects.get_folder, from_path, target)
    if target.is_dir() or str(to_path).endswith("/"):
        target = target / plain_name(name_of(from_path))
    return await asyncio.to_thread(objects.get_file, from_path, target)


async def put(
    from_path: str,
    to_path: str | None = None,
    recursive: bool = False,
    batch_size: int | None = None,
    chunk_size: int | None = None,
    max_concurrency: int | None = None,
    **kwargs: Any,
) -> str:
    """Copy a file or folder of this machine to an address, by default a new one of the task, and return that.

    The sizes are accepted for programs of the peer SDK and need not be tuned here.
    """
    from flyte.io.placement import new_location

    target = to_path or new_location(name_of(from_path))
    if recursive:
        await asyncio.to_thread(objects.put_folder, from_path, target)
    else:
        await asyncio.to_thread(objects.put_file, from_path, target)
    return target


async def get_stream(path: str, chunk_size: int = _STREAM_CHUNK_BYTES, **kwargs: Any) -> AsyncGenerator[bytes, None]:
    """Yield the content of an object in pieces."""
    with await asyncio.to_thread(objects.open_read, path) as source:
        while piece := await asyncio.to_thread(source.read, chunk_size):
            yield piece


async def put_stream(
    data_iterable: AsyncIterable[bytes] | bytes,
    *,
    name: str | None = None,
    to_path: str | None = None,
    size_hint: int | None = None,
    chunk_size: int | None = None,
    max_concurrency: int | None = None,
    **kwargs: Any,
) -> str:
    """Write an object from pieces, at a given address or a new one of the task, and return that."""
    from flyte.io.placement import new_location

    target = to_path or new_location(name)
    with objects.open_write(target) as sink:
        if isinstance(data_iterable, bytes | bytearray | memoryview):
            await asyncio.to_thread(sink.write, data_iterable)
        else:
            async for piece in data_iterable:
                await asyncio.to_thread(sink.write, piece)
    return target


async def open(path: str, mode: str = "rb", **kwargs: Any) -> OpenedObject:
    """Open an object: `async with await flyte.storage.open(uri) as stream`, or close it by hand.

    What is written appears when it is closed. `compression` is that of `flyte.io.File.open`. Raises ValueError for an
    unknown mode, FileNotFoundError where there is nothing to read.
    """
    from flyte.storage.opened import OpenedObject

    return await asyncio.to_thread(OpenedObject, path, mode, compression=kwargs.get("compression"))


def get_random_local_directory() -> Path:
    """Make a new folder below the temporary folder."""
    return Path(tempfile.mkdtemp(prefix="flyte-"))


def get_random_local_path(file_path_or_file_name: Path | str | None = None) -> Path:
    """Return a path in a new folder that nothing else uses, with the name of what is given."""
    return get_random_local_directory() / plain_name(str(file_path_or_file_name or ""))


__all__ = [
    "exists",
    "exists_sync",
    "get",
    "get_random_local_directory",
    "get_random_local_path",
    "get_stream",
    "join",
    "open",
    "put",
    "put_stream",
]
