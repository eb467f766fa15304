"""Just enough of gRPC over HTTP/2 for a few short calls on one connection, without loading gRPC.

Bytes in, messages out; sockets are somebody else's business. Requests are sent without compression, and so small that
no window of the other side has to be waited for. Headers that come are not read: whoever gets no message tries again
with gRPC, which says why there was none.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK, _END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE = 2, 4
_FRAME_HEADER_BYTES: Final = 9
_MESSAGE_HEADER: Final = struct.Struct(">?I")
_MOST_FRAME_BYTES: Final = 1 << 14
"""Of either side, unless it says otherwise."""
WINDOW_BYTES: Final = 16 << 20
"""The other side may send so much, in all."""

# Entries of HPACK's static table.
_POST, _HTTP, _HTTPS = b"\x83", b"\x86", b"\x87"
_AUTHORITY, _PATH = 1, 4


class ProtocolError(ConnectionError):
    """The other side has ended the connection, or says what this client does not know."""


class GrpcConnection:
    """The client's side of one connection.

    Args:
        authority: host:port of the other side.
        secure: whether the bytes go through TLS.
    """

    def __init__(self, authority: str, *, secure: bool = False) -> None:
        self._authority = authority
        self._scheme = _HTTPS if secure else _HTTP
        self._next_stream = 1
        self._incoming = bytearray()
        self._partial: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._unsent = bytearray(_PREFACE)
        self._put(_SETTINGS, 0, 0, struct.pack(">HIHI", _ENABLE_PUSH, 0, _INITIAL_WINDOW_SIZE, WINDOW_BYTES))
        self._put(_WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW_BYTES))
        self.messages: deque[tuple[int, bytes]] = deque()
        """What has come: the call, and a message of it."""
        self.ended: set[int] = set()
        """Calls of which nothing more comes."""

    def to_send(self) -> bytes:
        """What is to be written to the socket now."""
        unsent, self._unsent = self._unsent, bytearray()
        return bytes(unsent)

    def call(self, path: str, message: bytes, *, last: bool, metadata: Iterable[tuple[str, str]] = ()) -> int:
        """Begins a call with its first message; returns its number. Raises ValueError for a message that is too long.

        Args:
            last: nothing more is sent in this call.
        """
        content = _MESSAGE_HEADER.pack(False, len(message)) + message
        if len(content) > _MOST_FRAME_BYTES:
            raise ValueError(f"a message of {len(message)} bytes is too long for this client")
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        named = (("te", "trailers"), ("content-type", "application/grpc"), *metadata)
        block = b"".join(
            (
                *(_POST, self._scheme, _with_known_name(_PATH, path), _with_known_name(_AUTHORITY, self._authority)),
                *(_with_new_name(name, value) for name, value in named),
            )
        )
        if len(block) > _MOST_FRAME_BYTES:
            raise ValueError(f"headers of {len(block)} bytes are too long for this client")
        self._put(_HEADERS, _END_HEADERS, stream, block)
        self._put(_DATA, _END_STREAM if last else 0, stream, content)
        return stream

    def received(self, data: bytes) -> None:
        """Takes what has come from the socket. Raises ProtocolError."""
        self._incoming += data
        while len(self._incoming) >= _FRAME_HEADER_BYTES:
            size = int.from_bytes(self._incoming[:3], "big")
            end = _FRAME_HEADER_BYTES + size
            if len(self._incoming) < end:
                return
            kind, flags = self._incoming[3], self._incoming[4]
            stream = int.from_bytes(self._incoming[5:9], "big") & 0x7FFFFFFF
            content = bytes(self._incoming[_FRAME_HEADER_BYTES:end])
            del self._incoming[:end]
            self._frame(kind, flags, stream, content)

    def _frame(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == _DATA:
            self._data(stream, content[1 : len(content) - content[0]] if flags & _PADDED else content)
        elif kind == _SETTINGS and not flags & _ACK:
            self._put(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._put(_PING, _ACK, 0, content)
        elif kind == _GOAWAY:
            raise ProtocolError("the other side goes away")
        if kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.ended.add(stream)

    def _data(self, stream: int, content: bytes) -> None:
        waiting = self._partial[stream]
        waiting += content
        while len(waiting) >= _MESSAGE_HEADER.size:
            compressed, size = _MESSAGE_HEADER.unpack_from(waiting)
            if compressed or size > WINDOW_BYTES:
                raise ProtocolError("a message comes compressed, or is too long")
            end = _MESSAGE_HEADER.size + size
            if len(waiting) < end:
                return
            self.messages.append((stream, bytes(waiting[_MESSAGE_HEADER.size : end])))
            del waiting[:end]

    def _put(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        self._unsent += struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def _with_known_name(index: int, value: str) -> bytes:
    return bytes((index,)) + _text(value)


def _with_new_name(name: str, value: str) -> bytes:
    # "Never indexed": no proxy on the way may keep it in a table, since a token is among the values.
    return b"\x10" + _text(name) + _text(value)


def _text(value: str) -> bytes:
    data = value.encode("ascii")
    return _number(len(data)) + data


def _number(value: int) -> bytes:
    """An HPACK integer with a prefix of seven bits."""
    if value < 0x7F:
        return bytes((value,))
    rest, octets = value - 0x7F, bytearray(b"\x7f")
    while rest >= 0x80:
        octets.append(rest & 0x7F | 0x80)
        rest >>= 7
    octets.append(rest)
    return bytes(octets)
