"""The platform's objects as a worker in a pod reaches them: through the agent beside it, over a local socket.

The pod has no credentials of the object store. Each call says for which attempt it is made, and has the rights of that
attempt. A call that fails because no scheduler can be reached is made again until there is one, for some minutes at
most; a write begins from its start, so an object appears whole or not at all. Nothing is kept between calls, so threads
and forked processes may use it as they like.
"""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar, cast

from flyte.spec.frames import FrameDecoder, encode_frame

DATA: Final = b"d"
"""Starts a frame with a piece of an object."""
ENTRIES: Final = b"e"
"""Starts a frame with a JSON array of addresses and sizes."""
DONE: Final = b"."
"""Starts the last frame of a call that was carried out, with a JSON object."""
FAILED: Final = b"!"
"""Starts the last frame of one that was not: a JSON object with `code` and `message`."""

_PIECE_BYTES: Final = 1 << 20
"""Of an object in one frame."""
_READ_AHEAD_BYTES: Final = 4 << 20
"""Readers that take a little at a time do not ask for each little."""
_PATIENCE_S: Final = 180.0
"""For how long a scheduler is waited for: another takes over within seconds."""
_LONGEST_PAUSE_S: Final = 5.0
"""Between two tries."""

T = TypeVar("T")


class _Unavailable(OSError):
    """No scheduler could be reached; trying again is sensible."""


class RelayedObjects:
    """A transport of `flyte.storage`.

    Args:
        path: of the agent's socket.
        lease_for: the lease of the attempt that an address is asked for by; raises PermissionError if nobody knows.
        patience_s: for how long a call is tried again while no scheduler can be reached.
    """

    def __init__(self, path: str, *, lease_for: Callable[[str], int], patience_s: float = _PATIENCE_S) -> None:
        self._path = path
        self._lease_for = lease_for
        self._patience_s = patience_s

    def put_bytes(self, data: bytes, uri: str) -> None:
        """Write an object as a whole. Raises PermissionError, OSError."""
        self._persist(lambda: self._write(uri, io.BytesIO(data)))

    def put_file(self, path: Path, uri: str) -> None:
        """Write an object from a file. Raises FileNotFoundError, PermissionError, OSError."""

        def write() -> None:
            with path.open("rb") as source:
                self._write(uri, source)

        self._persist(write)

    def get_bytes(self, uri: str) -> bytes:
        """Return an object as a whole. Raises FileNotFoundError, PermissionError, OSError."""
        return b"".join(self._pieces(uri))

    def get_file(self, uri: str, path: Path) -> None:
        """Write an object to a file. Raises FileNotFoundError, PermissionError, OSError."""
        with path.open("wb") as target:
            for piece in self._pieces(uri):
                target.write(piece)

    def read_range(self, uri: str, *, offset: int, length: int) -> bytes:
        """Return a part of an object. Raises FileNotFoundError, PermissionError, OSError."""
        return b"".join(self._pieces(uri, offset=offset, length=length))

    def size_of(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if there is none. Raises PermissionError, OSError."""
        if uri.endswith("/"):
            return None
        return next((size for found, size in self.list_sizes(uri) if found == uri), None)

    def list_sizes(self, uri: str) -> Iterator[tuple[str, int]]:
        """Yield address and size of each object below a prefix that ends in "/", or of the one that is named."""
        return iter(self._persist(lambda: self._list(uri)))

    def open_read(self, uri: str) -> BinaryIO:
        """Open an object for reading. Raises FileNotFoundError, PermissionError, OSError."""
        size = self.size_of(uri)
        if size is None:
            raise FileNotFoundError(f"There is no object {uri}")
        return cast(BinaryIO, io.BufferedReader(_RelayedReader(self, uri, size), _READ_AHEAD_BYTES))

    def _persist(self, call: Callable[[], T]) -> T:
        """Makes a call until a scheduler can be reached, or patience ends."""
        deadline = time.monotonic() + self._patience_s
        pause_s = 0.1
        while True:
            try:
                return call()
            except _Unavailable:
                if time.monotonic() + pause_s > deadline:
                    raise
            import random

            time.sleep(random.uniform(0.5, 1.0) * pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _pieces(self, uri: str, *, offset: int = 0, length: int = 0) -> Iterator[bytes]:
        """Yields an object's content; a read that breaks off goes on where it was."""
        with _Reading(self._path, uri, lease=self._lease_for(uri), offset=offset, length=length) as reading:
            while piece := self._persist(reading.next_piece):
                yield piece

    def _write(self, uri: str, source: BinaryIO) -> None:
        with _Call(self._path, {"do": "write", "uri": uri, "lease": self._lease_for(uri)}) as call:
            size = 0
            while piece := source.read(_PIECE_BYTES):
                size += len(piece)
                if not call.send(piece):
                    break
            else:
                call.send(b"")
            stored = call.finish().get("size_bytes")
            if stored != size:
                raise _Unavailable(f"{uri} was stored with {stored} bytes of {size}")

    def _list(self, uri: str) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        with _Call(self._path, {"do": "list", "prefix": uri, "lease": self._lease_for(uri)}) as call:
            for kind, content in call.answers():
                if kind == ENTRIES:
                    found.extend((address, size) for address, size in json.loads(content))
        return found


class _Reading:
    """A read under way, over as many calls as it takes."""

    def __init__(self, path: str, uri: str, *, lease: int, offset: int, length: int) -> None:
        self._path = path
        self._uri = uri
        self._lease = lease
        self._offset = offset
        self._left = length if length else None
        self._call: _Call | None = None

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._call is not None:
            self._call.close()
            self._call = None

    def next_piece(self) -> bytes:
        """The next piece; empty at the end. After an error the next call goes on behind what was given."""
        if self._left == 0:
            return b""
        if self._call is None:
            request = {"do": "read", "uri": self._uri, "offset": self._offset, "length": self._left or 0}
            self._call = _Call(self._path, {**request, "lease": self._lease})
        try:
            piece = self._call.next_data()
        except BaseException:
            self.__exit__()
            raise
        self._offset += len(piece)
        if self._left is not None:
            self._left -= len(piece)
        return piece


class _Call:
    """One call on a connection of its own."""

    def __init__(self, path: str, request: dict[str, Any]) -> None:
        self._decoder = FrameDecoder()
        self._frames: list[bytes] = []
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.connect(path)
            self._connection.sendall(encode_frame(json.dumps(request).encode()))
        except OSError as error:
            self._connection.close()
            raise _Unavailable(f"the agent of this pod cannot be reached: {error}") from error

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def send(self, content: bytes) -> bool:
        """Sends a frame; False if the other side has stopped listening, and said why."""
        try:
            self._connection.sendall(encode_frame(content))
        except OSError:
            return False
        return True

    def answers(self) -> Iterator[tuple[bytes, bytes]]:
        """Yields what is answered, up to the last frame. Raises OSError."""
        while True:
            frame = self._next_frame()
            kind, content = frame[:1], frame[1:]
            if kind == FAILED:
                _raise(json.loads(content))
            yield kind, content
            if kind == DONE:
                return

    def next_data(self) -> bytes:
        """The next piece of an object; empty at its end."""
        for kind, content in self.answers():
            if kind == DATA and content:
                return content
        return b""

    def finish(self) -> dict[str, Any]:
        """The last frame."""
        *_, (_kind, content) = self.answers()
        result: dict[str, Any] = json.loads(content)
        return result

    def _next_frame(self) -> bytes:
        while not self._frames:
            try:
                data = self._connection.recv(_PIECE_BYTES + 64)
            except OSError as error:
                raise _Unavailable(f"the agent of this pod broke off: {error}") from error
            if not data:
                raise _Unavailable("the agent of this pod broke off")
            self._frames = self._decoder.feed(data)
        return self._frames.pop(0)


def _raise(problem: dict[str, str]) -> None:
    code, message = problem["code"], problem["message"]
    if code == "UNAVAILABLE":
        raise _Unavailable(f"the platform's objects cannot be reached: {message}")
    if code == "NOT_FOUND":
        raise FileNotFoundError(message)
    if code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
        raise PermissionError(message)
    raise OSError(f"{code}: {message}")


class _RelayedReader(io.RawIOBase):
    """An object as Python's own kind of file: each read is a call of its own."""

    def __init__(self, objects: RelayedObjects, uri: str, size: int) -> None:
        super().__init__()
        self._objects = objects
        self._uri = uri
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._place)
        if length <= 0:
            return 0
        data = self._objects.read_range(self._uri, offset=self._place, length=length)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place
