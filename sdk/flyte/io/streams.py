"""Open files of `flyte.io.File`: in binary or text, compressed or not, blocking or awaited.

A new file appears under its address when it is closed in order; a block that raises leaves nothing.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import IO, Any, cast

from flyte.io.hashing import HashMethod
from flyte.storage import objects
from flyte.storage.locations import name_of

_SUFFIXES = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".lzma": "xz"}


@contextmanager
def open_stream(
    uri: str,
    mode: str,
    *,
    compression: str | None = None,
    hash_method: HashMethod | None = None,
    text: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[IO[Any]]:
    """Open an object for reading ("r", "rb"), writing ("w", "wb") or appending ("a", "ab").

    `compression` is "gzip", "bz2", "xz" or "infer", which goes by the name. A `hash_method` is fed with what is
    written. `text` says how bytes are text: `encoding` (UTF-8 unless given), `errors` and `newline`. Raises ValueError
    for another mode, FileNotFoundError where there is nothing to read.
    """
    kind = mode.replace("b", "").replace("t", "")
    if kind not in ("r", "w", "a"):
        raise ValueError(f"mode {mode!r} is not supported: use 'r', 'w' or 'a', with 'b' for bytes")
    with ExitStack() as stack:
        raw: Any = objects.open_read(uri) if kind == "r" else stack.enter_context(objects.open_write(uri))
        if kind == "r":
            stack.callback(raw.close)
        if hash_method is not None and kind != "r":
            raw = _HashingWriter(raw, hash_method)
        if kind == "a" and objects.exists(uri):
            raw.write(objects.get_bytes(uri))
        stream = _compressed(raw, kind, _compression(uri, compression))
        if stream is not raw:
            stack.callback(stream.close)
        if "b" not in mode:
            stream = io.TextIOWrapper(stream, **{"encoding": "utf-8", **text})
            stack.callback(stream.detach)
            stack.callback(stream.flush)
        yield cast(IO[Any], stream)


class AsyncStream:
    """An open file whose calls are awaited. Files of this machine answer at once, others in a thread."""

    def __init__(self, stream: IO[Any], *, in_thread: bool) -> None:
        self._stream = stream
        self._in_thread = in_thread

    async def read(self, size: int = -1) -> Any:
        """Return the next bytes or characters; all that is left for -1."""
        return await self._call(self._stream.read, size)

    async def readline(self) -> Any:
        """Return the next line, empty at the end."""
        return await self._call(self._stream.readline)

    async def readlines(self) -> list[Any]:
        """Return all lines that are left."""
        return list(await self._call(self._stream.readlines))

    async def write(self, data: Any) -> int:
        """Write data and return how much of it."""
        return int(await self._call(self._stream.write, data))

    async def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place and return it."""
        return int(await self._call(self._stream.seek, offset, whence))

    async def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()

    async def flush(self) -> None:
        """Hand over what was written so far."""
        await self._call(self._stream.flush)

    async def close(self) -> None:
        """Do nothing: the end of the `async with` block closes the file."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        while line := await self.readline():
            yield line

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._in_thread:
            return await asyncio.to_thread(function, *arguments)
        return function(*arguments)


class _HashingWriter(io.RawIOBase):
    """Feeds a hash with everything that is written."""

    def __init__(self, sink: Any, method: HashMethod) -> None:
        super().__init__()
        self._sink = sink
        self._method = method

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._method.update(bytes(data))
        return int(self._sink.write(data))


def _compression(uri: str, compression: str | None) -> str | None:
    if compression != "infer":
        return compression
    name = name_of(uri)
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def _compressed(raw: Any, kind: str, compression: str | None) -> Any:
    if compression is None:
        return raw
    mode = "rb" if kind == "r" else "wb"
    if compression == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=raw, mode=mode)
    if compression == "bz2":
        import bz2

        return bz2.open(raw, mode)
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(raw, mode)
    raise ValueError(f"compression {compression!r} is not supported: use 'gzip', 'bz2', 'xz' or 'infer'")
