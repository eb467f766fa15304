"""Reading and writing data by address: plain paths and file:// with the standard library, stores through obstore, and
addresses that have a route through that; other stores through fsspec.

Writes are atomic: nobody ever sees half an object. Everything blocks; `flyte.storage` has the asynchronous surface.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from flyte.storage.locations import REMOTE_SCHEMES, is_remote, join, local_path, local_uri, path_in, scheme_of
from flyte.storage.routes import Transport, route_of

_TEMPORARY: Final = ".flyte-"
_COPY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object that was found below a prefix."""

    uri: str
    size_bytes: int


def put_bytes(data: bytes, uri: str) -> str:
    """Write an object as a whole and return its address."""
    if is_remote(uri):
        _transport(uri).put_bytes(data, uri)
    else:
        with open_write(uri) as target:
            target.write(data)
    return uri


def put_file(path: str | Path, uri: str) -> str:
    """Copy a file of this machine to an address and return that. Raises FileNotFoundError."""
    if is_remote(uri):
        _transport(uri).put_file(Path(path), uri)
    else:
        _copy_whole(Path(path), local_path(uri))
    return uri


def get_bytes(uri: str) -> bytes:
    """Return an object as a whole. Raises FileNotFoundError."""
    if is_remote(uri):
        return _transport(uri).get_bytes(uri)
    return local_path(uri).read_bytes()


def get_file(uri: str, path: str | Path) -> str:
    """Copy an object to a file of this machine and return its path. Raises FileNotFoundError."""
    target = Path(path)
    if not is_remote(uri):
        _copy_whole(local_path(uri), target)
        return str(target)
    with _renamed(target) as temporary:
        _transport(uri).get_file(uri, temporary)
    return str(target)


def exists(uri: str) -> bool:
    """Tell whether there is an object at an address, or any below it."""
    if not is_remote(uri):
        return local_path(uri).exists()
    transport = _transport(uri)
    if transport.size_of(uri) is not None:
        return True
    return next(transport.list_sizes(uri.rstrip("/") + "/"), None) is not None


def size_of(uri: str) -> int | None:
    """Return the size of an object in bytes, or None if there is none."""
    if is_remote(uri):
        return _transport(uri).size_of(uri)
    path = local_path(uri)
    return path.stat().st_size if path.is_file() else None


def list_objects(uri: str) -> list[StoredObject]:
    """Return all objects below a prefix, in the order of their addresses; none if there is no such prefix."""
    if is_remote(uri):
        return sorted((StoredObject(*entry) for entry in _listed(uri)), key=lambda found: found.uri)
    root = local_path(uri)
    as_uri = scheme_of(uri) == "file"
    return [StoredObject(local_uri(path) if as_uri else str(path), path.stat().st_size) for path in files_below(root)]


def relative_name(uri: str, prefix: str) -> str:
    """Return the part of an object's address below a prefix that it was listed under."""
    if scheme_of(uri) not in ("", "file"):
        return uri.removeprefix(prefix.rstrip("/")).lstrip("/")
    path, root = path_in(uri), path_in(prefix)
    return path.name if path == root else path.relative_to(root).as_posix()


def put_folder(path: str | Path, uri: str) -> int:
    """Copy all files below a folder of this machine to a prefix and return how many bytes they have."""
    root, total = Path(path), 0
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder")
    if not is_remote(uri):
        local_path(uri).mkdir(parents=True, exist_ok=True)
    for file in files_below(root):
        put_file(file, join(uri, file.relative_to(root).as_posix()))
        total += file.stat().st_size
    return total


def get_folder(uri: str, path: str | Path) -> str:
    """Copy all objects below a prefix to a folder of this machine and return its path.

    Raises FileNotFoundError, and ValueError before anything is copied for an object that would lie elsewhere.
    """
    root, below = Path(path), list_objects(uri)
    if not below and (is_remote(uri) or not local_path(uri).is_dir()):
        raise FileNotFoundError(f"There is nothing below {uri}")
    names = [relative_name(found.uri, uri) for found in below]
    for name in names:
        # Stores take any text as a name.
        if ".." in name.split("/"):
            raise ValueError(f"{uri} has an object {name!r}, which leads out of the folder that it is copied to")
    root.mkdir(parents=True, exist_ok=True)
    for found, name in zip(below, names, strict=True):
        get_file(found.uri, root / name)
    return str(root)


def open_read(uri: str) -> BinaryIO:
    """Open an object for reading. Raises FileNotFoundError."""
    if is_remote(uri):
        return _transport(uri).open_read(uri)
    return local_path(uri).open("rb")


@contextmanager
def open_write(uri: str) -> Iterator[BinaryIO]:
    """Open a new object for writing. It is there once the block ends, and not at all if the block raises."""
    if is_remote(uri):
        # Spooled, because a remote writer that is given up would leave the half that was written.
        with tempfile.TemporaryDirectory(prefix="flyte-") as folder:
            spool = Path(folder, "object")
            with spool.open("w+b") as file:
                yield file
            _transport(uri).put_file(spool, uri)
        return
    with _renamed(local_path(uri)) as temporary, temporary.open("w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _transport(uri: str) -> Transport:
    """How an address that is not one of this machine is reached."""
    if (routed := route_of(uri)) is not None:
        return routed
    if (scheme := scheme_of(uri)) == "memory" or scheme not in REMOTE_SCHEMES:
        from flyte.storage.fsspec_objects import objects_of_fsspec

        if (known := objects_of_fsspec(uri)) is not None:
            return known
    from flyte.storage import remote_objects

    return remote_objects


def _listed(uri: str) -> Iterator[tuple[str, int]]:
    """Addresses and sizes below a prefix, however it is written; of the object itself if it names one."""
    if route_of(uri) is None or uri.endswith("/"):
        yield from _transport(uri).list_sizes(uri)
        return
    found = list(_transport(uri).list_sizes(uri))
    yield from found or _transport(uri).list_sizes(f"{uri}/")


def _copy_whole(source: Path, target: Path) -> None:
    with _renamed(target) as temporary, source.open("rb") as read, temporary.open("wb") as written:
        shutil.copyfileobj(read, written, _COPY_BYTES)
        written.flush()
        os.fsync(written.fileno())


@contextmanager
def _renamed(target: Path) -> Iterator[Path]:
    """Give a path in the folder of `target` that becomes it when the block ends, and vanishes if the block raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def files_below(root: Path) -> list[Path]:
    """Return all files below a folder, in order, without half-written ones; a file itself for a file."""
    if root.is_file():
        return [root]
    found = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return sorted(path for path in found if not path.name.startswith(_TEMPORARY))
