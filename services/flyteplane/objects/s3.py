"""Objects in a bucket of S3 or of a server that speaks like it.

A key is the object's name below the prefix of the settings. Small objects are one request; files above 8 MiB go up in
parts and appear with the last. `put_if_absent` is decided by the server (If-None-Match): a file in parts is first put
under another name and then copied there if nothing is. When the answer to such a request is lost and it is sent again,
it may find what it wrote itself, and says that it wrote nothing: callers must not conclude that somebody else did.

The client's blocking calls run on threads of this store alone, so that a store that hangs takes no thread from others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from flyteplane.foundation.clock import Clock, SystemClock
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.objects.keys import INCOMING, validate_key, validate_prefix
from flyteplane.objects.port import Content, ObjectInfo, ObjectPage
from flyteplane.objects.s3_client import ONCE, s3_client
from flyteplane.objects.s3_errors import RangeBehindTheEnd, translated
from flyteplane.objects.s3_settings import S3Settings

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 16
_PART_BYTES: Final = 8 << 20
_PARTS_AT_A_TIME: Final = 4


class S3ObjectStore:
    """See `ObjectStore` and `Presigner`. Connects with the first call.

    Raises FailedPrecondition if the settings name a file that cannot be read.
    """

    def __init__(self, settings: S3Settings, *, clock: Clock | None = None, ids: IdSource | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self._store = s3_client(settings, endpoint=settings.endpoint)
        public = settings.public_endpoint
        self._public = s3_client(settings, endpoint=public) if public else self._store
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="objects")

    @property
    def root(self) -> str:
        """See `S3Settings.root`."""
        return self._settings.root

    @property
    def name(self) -> str:
        """See `S3Settings.name`."""
        return self._settings.name

    async def check(self) -> None:
        """Ask once whether the store is there. Raises Unavailable if not, FailedPrecondition if it will not have us."""
        await self._run(self._check)

    def close(self) -> None:
        """Let go of the threads; calls under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def put(self, key: str, content: Content) -> ObjectInfo:
        validate_key(key)
        return await self._run(self._put, key, content)

    async def put_if_absent(self, key: str, content: Content) -> bool:
        validate_key(key)
        return await self._run(self._put_if_absent, key, content)

    async def get(self, key: str) -> bytes:
        validate_key(key)
        return await self._run(self._get, key)

    async def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        validate_key(key)
        if offset < 0 or length < 0:
            raise InvalidArgument("a range has no negative offset or length", reason="OBJECT_RANGE")
        return await self._run(self._get_range, key, offset, length)

    async def download(self, key: str, to: Path) -> ObjectInfo:
        validate_key(key)
        return await self._run(self._download, key, to)

    async def head(self, key: str) -> ObjectInfo | None:
        validate_key(key)
        return await self._run(self._head, key)

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> ObjectPage:
        validate_prefix(prefix)
        return await self._run(self._list, prefix, after, limit)

    async def delete(self, key: str) -> None:
        validate_key(key)
        await self._run(self._delete, key)

    async def presign_get(self, key: str, *, expires_in_s: float) -> str:
        """See `Presigner`."""
        validate_key(key)
        return await self._run(self._sign, "GET", key, expires_in_s)

    async def presign_put(self, key: str, *, expires_in_s: float) -> str:
        """See `Presigner`."""
        validate_key(key)
        return await self._run(self._sign, "PUT", key, expires_in_s)

    async def _run(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        assert not named
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _check(self) -> None:
        import obstore

        client = s3_client(self._settings, endpoint=self._settings.endpoint, retries=ONCE)
        with translated("", store=self.name):
            next(iter(obstore.list(client, INCOMING)), None)

    def _put(self, key: str, content: Content) -> ObjectInfo:
        import obstore

        with translated(key, store=self.name):
            obstore.put(self._store, key, content, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_A_TIME)
        # A `delete` beside us may have removed it again; it was written all the same.
        size_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
        return self._head(key) or ObjectInfo(key, size_bytes, self._clock.now())

    def _put_if_absent(self, key: str, content: Content) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        if isinstance(content, Path) and content.stat().st_size > _PART_BYTES:
            return self._put_parts_if_absent(key, content)
        data = content.read_bytes() if isinstance(content, Path) else content
        try:
            with translated(key, store=self.name):
                obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def _put_parts_if_absent(self, key: str, content: Path) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        if self._head(key) is not None:
            return False
        incoming = f"{INCOMING}{self._ids.unique()}"
        self._put(incoming, content)
        try:
            with translated(key, store=self.name):
                obstore.copy(self._store, incoming, key, overwrite=False)
        except AlreadyExistsError:
            return False
        finally:
            # What stays is of no harm, and the outcome is known already.
            with suppress(Unavailable, FailedPrecondition):
                self._delete(incoming)
        return True

    def _get(self, key: str) -> bytes:
        import obstore

        with translated(key, store=self.name):
            return bytes(obstore.get(self._store, key).bytes())

    def _get_range(self, key: str, offset: int, length: int) -> bytes:
        import obstore

        if length == 0:
            self._known(key)
            return b""
        try:
            with translated(key, store=self.name):
                return bytes(obstore.get_range(self._store, key, start=offset, length=length))
        except RangeBehindTheEnd:
            return b""

    def _download(self, key: str, to: Path) -> ObjectInfo:
        import obstore

        temporary = to.with_name(f".tmp-{self._ids.unique()}")
        try:
            with translated(key, store=self.name):
                found = obstore.get(self._store, key)
                pieces = iter(found.stream(min_chunk_size=_PART_BYTES))
            self._write(key, pieces, temporary, to=to)
        finally:
            temporary.unlink(missing_ok=True)
        return _info(key, found.meta)

    def _write(self, key: str, pieces: Any, temporary: Path, *, to: Path) -> None:
        """Write a content to a file; troubles of the disk and of the store are told apart."""
        try:
            with temporary.open("wb") as file:
                while True:
                    with translated(key, store=self.name):
                        piece = next(pieces, None)
                    if piece is None:
                        break
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(to)
        except OSError as error:
            raise Unavailable(
                f"{to.parent} cannot be written: {error.strerror}", reason="STORE_IO", mend="Check the disk."
            ) from error

    def _known(self, key: str) -> ObjectInfo:
        found = self._head(key)
        if found is None:
            raise NotFound(f"there is no object {key!r}", reason="OBJECT_NOT_FOUND")
        return found

    def _head(self, key: str) -> ObjectInfo | None:
        import obstore

        try:
            with translated(key, store=self.name):
                return _info(key, obstore.head(self._store, key))
        except NotFound:
            return None

    def _list(self, prefix: str, after: str, limit: int) -> ObjectPage:
        import obstore

        # The client lists whole folders; names inside of one are chosen here.
        folder, found = prefix.rpartition("/")[0], []
        with translated("", store=self.name):
            pages = obstore.list(self._store, f"{folder}/" if folder else None, offset=after or None)
            for entry in (entry for page in pages for entry in page):
                key = entry["path"]
                if key <= after or not key.startswith(prefix):
                    continue
                found.append(_info(key, entry))
                if len(found) > limit:
                    break
        page = found[:limit]
        return ObjectPage(page, page[-1].key if len(found) > limit and page else "")

    def _delete(self, key: str) -> None:
        import obstore

        with suppress(NotFound), translated(key, store=self.name):
            obstore.delete(self._store, key)

    def _sign(self, method: Any, key: str, expires_in_s: float) -> str:
        import obstore

        with translated(key, store=self.name):
            return obstore.sign(self._public, method, key, timedelta(seconds=expires_in_s))


def _info(key: str, meta: Any) -> ObjectInfo:
    return ObjectInfo(key, int(meta["size"]), meta["last_modified"].timestamp())
