"""Objects as files of a folder.

A key is the path of its file below `root`, so people and processes on this machine may read the folder as it is. A
file is written beside its place, flushed to the disk and then renamed, so that a crash leaves the old content or the
new.

A file system cannot hold both `a` and `a/b`; such a key is refused with FailedPrecondition (OBJECT_KEY_CONFLICT).
"""

import asyncio
import errno
import io
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from flyteplane.foundation.clock import Clock, SystemClock
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, NotFound, PlatformError, Unavailable
from flyteplane.foundation.folders import flush_folder
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.objects.keys import validate_key, validate_prefix
from flyteplane.objects.port import Content, ObjectInfo, ObjectPage

#: Temporary files start with this; a key's segment never does, because such keys are refused.
TEMPORARY: Final = ".tmp-"
#: What workers of this machine call theirs, who write into the folder themselves.
_OF_WORKERS: Final = re.compile(r"\.flyte-[0-9a-f]{16}")
#: Temporary files of this age belong to writers that were killed.
_ABANDONED_AFTER_S: Final = 24 * 3600.0
_CHUNK_BYTES: Final = 1 << 20
#: Deletes beside a put may win this often; a folder that is never there is something else, such as a dangling link.
_FOLDER_TRIES: Final = 1000
#: What a path says that leads through a file or to a folder: for a reader there is no such object.
_NO_OBJECT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR})


class FolderObjectStore:
    """See `ObjectStore`.

    Args:
        root: the folder; made if it is missing. Raises Unavailable when that fails.
    """

    def __init__(self, root: Path, *, clock: Clock | None = None, ids: IdSource | None = None) -> None:
        self._root = root.absolute()
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        with _translated(str(self._root)):
            self._root.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        return self._root

    def path_of(self, key: str) -> Path:
        """The file of an object, whether there is one or not. Raises InvalidArgument."""
        validate_key(key)
        if any(segment.startswith(TEMPORARY) for segment in key.split("/")):
            problem = f"an object key must not have a segment that starts with {TEMPORARY}"
            raise InvalidArgument(problem, reason="OBJECT_KEY", field="key")
        return self._root / key

    async def put(self, key: str, content: Content) -> ObjectInfo:
        return await asyncio.to_thread(self._put, key, content)

    async def put_if_absent(self, key: str, content: Content) -> bool:
        return await asyncio.to_thread(self._put_if_absent, key, content)

    async def get(self, key: str) -> bytes:
        return await asyncio.to_thread(self._get, key)

    async def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise InvalidArgument("a range has no negative offset or length", reason="OBJECT_RANGE")
        return await asyncio.to_thread(self._get_range, key, offset, length)

    async def download(self, key: str, to: Path) -> ObjectInfo:
        return await asyncio.to_thread(self._download, key, to)

    async def head(self, key: str) -> ObjectInfo | None:
        return await asyncio.to_thread(self._head, key)

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> ObjectPage:
        validate_prefix(prefix)
        return await asyncio.to_thread(self._list, prefix, after, limit)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._delete, key)

    async def remove_abandoned(self) -> int:
        """Remove temporary files that killed writers left a day ago or earlier; returns how many."""
        return await asyncio.to_thread(self._remove_abandoned)

    def _put(self, key: str, content: Content) -> ObjectInfo:
        path = self.path_of(key)
        with _translated(key):
            temporary = self._write_temporary(path, content)
            try:
                # Of what is written here, whoever replaces or removes it next.
                info = _info(key, temporary.stat())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _flush_folder(path.parent)
            return info

    def _put_if_absent(self, key: str, content: Content) -> bool:
        path = self.path_of(key)
        with _translated(key):
            if path.is_file():
                return False
            temporary = self._write_temporary(path, content)
            try:
                os.link(temporary, path)
            except FileExistsError:
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "is a folder", str(path)) from None
                return False
            finally:
                temporary.unlink(missing_ok=True)
            _flush_folder(path.parent)
            return True

    def _write_temporary(self, path: Path, content: Content) -> Path:
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as source:
            temporary, file = self._open_temporary(path.parent)
            try:
                with file:
                    shutil.copyfileobj(source, file, _CHUNK_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return temporary

    def _open_temporary(self, folder: Path) -> tuple[Path, BinaryIO]:
        temporary = folder / f"{TEMPORARY}{self._ids.unique()}"
        for _ in range(_FOLDER_TRIES):
            # A `delete` beside us may remove a folder again while it is still empty: this one, or one above it.
            with suppress(FileNotFoundError):
                self._make_folder(folder)
                return temporary, temporary.open("xb")
        raise FileNotFoundError(errno.ENOENT, "does not stay", str(folder))

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, and make their names durable."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
            _flush_folder(folder.parent)

    def _get(self, key: str) -> bytes:
        with _reading(key):
            return self.path_of(key).read_bytes()

    def _get_range(self, key: str, offset: int, length: int) -> bytes:
        with _reading(key), self.path_of(key).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _download(self, key: str, to: Path) -> ObjectInfo:
        path = self.path_of(key)
        with _reading(key):
            source = path.open("rb")
        temporary = to.with_name(f"{TEMPORARY}{self._ids.unique()}")
        # Once it is open it stays what it is, whoever replaces or removes it.
        with source, _translated(str(to)):
            try:
                with temporary.open("xb") as file:
                    shutil.copyfileobj(source, file, _CHUNK_BYTES)
                temporary.replace(to)
            finally:
                temporary.unlink(missing_ok=True)
            return _info(key, os.fstat(source.fileno()))

    def _head(self, key: str) -> ObjectInfo | None:
        path = self.path_of(key)
        try:
            with _reading(key):
                return _info(key, path.stat())
        except NotFound:
            return None

    def _list(self, prefix: str, after: str, limit: int) -> ObjectPage:
        folder = self._root / prefix.rpartition("/")[0]
        keys = sorted(key for key in self._keys_below(folder) if key.startswith(prefix) and key > after)
        page = keys[:limit]
        objects = [info for key in page if (info := self._head(key)) is not None]
        return ObjectPage(objects, page[-1] if len(keys) > limit and page else "")

    def _keys_below(self, folder: Path) -> Iterator[str]:
        for path, _, files in os.walk(folder):
            below = Path(path).relative_to(self._root).as_posix()
            for file in files:
                if not file.startswith(TEMPORARY):
                    yield file if below == "." else f"{below}/{file}"

    def _delete(self, key: str) -> None:
        path = self.path_of(key)
        with suppress(NotFound), _reading(key):
            path.unlink()
        # Folders that became empty go too; one that another writer just filled stays.
        for folder in path.parents:
            if folder == self._root:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def _remove_abandoned(self) -> int:
        removed = 0
        for path, _, files in os.walk(self._root):
            for file in (Path(path, name) for name in files if _is_temporary(name)):
                with suppress(OSError):
                    if file.stat().st_mtime < self._clock.now() - _ABANDONED_AFTER_S:
                        file.unlink()
                        removed += 1
        return removed


def _is_temporary(name: str) -> bool:
    return name.startswith(TEMPORARY) or _OF_WORKERS.fullmatch(name) is not None


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    if stat.S_ISDIR(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "is a folder", key)
    return ObjectInfo(key, status.st_size, status.st_mtime)


def _flush_folder(folder: Path) -> None:
    # A `delete` beside us may have removed what was in it, and the folder with it.
    with suppress(FileNotFoundError):
        flush_folder(folder)


@contextmanager
def _reading(key: str) -> Iterator[None]:
    """Say NotFound where there is no object, and translate whatever else goes wrong."""
    with _translated(key):
        try:
            yield
        except OSError as error:
            if error.errno in _NO_OBJECT:
                raise NotFound(f"there is no object {key!r}", reason="OBJECT_NOT_FOUND") from error
            raise


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _public(error, what) from error


def _public(error: OSError, what: str) -> PlatformError:
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
        return FailedPrecondition(
            f"{what!r} would be both an object and a folder of objects",
            reason="OBJECT_KEY_CONFLICT",
            mend="Choose a key that is not the beginning of another one.",
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable("the disk of the object store is full", reason="STORE_FULL", mend="Free some space.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Unavailable(
            f"the object store's folder cannot be read or written at {what!r}",
            reason="STORE_READ_ONLY",
            mend="Make the folder writable for the service.",
        )
    return Unavailable(f"reading or writing {what!r} failed", reason="STORE_IO", mend="Check the disk.")
