"""Messages on a byte stream: four bytes of length, little-endian, then the message.

Workers on the platform's own machine and the side that placed them speak so over an inherited socket. The decoder is
fed with whatever the socket gave and returns the messages that are complete; it copies each byte once, however small
the pieces are.
"""

from __future__ import annotations

import struct
from typing import Final

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
"""The longest message. Payloads beyond 256 KiB do not travel on streams, so this is a bound against broken peers."""

_LENGTH: Final = struct.Struct("<I")
_HEADER_BYTES: Final = _LENGTH.size


class FrameTooLargeError(ValueError):
    """A message is longer than a frame may be, or the stream does not carry frames at all."""


def encode_frame(message: bytes) -> bytes:
    """Return a message as a frame. Raises FrameTooLargeError."""
    _refuse_too_large(len(message))
    return _LENGTH.pack(len(message)) + message


class FrameDecoder:
    """Cuts a stream of bytes into messages."""

    __slots__ = ("_buffer", "_needed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = _HEADER_BYTES
        """Bytes that the buffer must hold before looking at it again is worth while."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the stream and return the messages that are complete now, in order.

        Raises FrameTooLargeError for a length that no message may have; the stream cannot be read on after it.
        """
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._needed:
                return []
            messages, consumed = self._cut(buffer)
            del buffer[:consumed]
            return messages
        messages, consumed = self._cut(data)
        if consumed < len(data):
            buffer += memoryview(data)[consumed:]
        return messages

    def _cut(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        """Return the complete messages at the start of `data`, and where the first incomplete one begins."""
        messages: list[bytes] = []
        start, end = 0, len(data)
        self._needed = _HEADER_BYTES
        with memoryview(data) as view:
            while end - start >= _HEADER_BYTES:
                (length,) = _LENGTH.unpack_from(data, start)
                _refuse_too_large(length)
                stop = start + _HEADER_BYTES + length
                if stop > end:
                    self._needed = stop - start
                    break
                messages.append(bytes(view[start + _HEADER_BYTES : stop]))
                start = stop
        return messages, start


def _refuse_too_large(length: int) -> None:
    if length > MAX_FRAME_BYTES:
        raise FrameTooLargeError(
            f"A message of {length} bytes is longer than a frame may be ({MAX_FRAME_BYTES} bytes). "
            "Pass large data as a flyte.io.File, Dir or DataFrame; if this was read, the stream carries no frames."
        )
