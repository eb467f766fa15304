"""Messages on a stream socket: four bytes of length, little-endian, then the message.

The worker's side of the same form is in the SDK, which the platform does not import.
"""

from __future__ import annotations

from typing import Final

_HEADER_BYTES: Final = 4
#: A longer frame is taken for a stream that has lost its place.
MOST_FRAME_BYTES: Final = 64 << 20


class BrokenFrame(ValueError):
    """The stream does not carry frames."""


def encode_frame(message: bytes) -> bytes:
    """The frame of a message."""
    return len(message).to_bytes(_HEADER_BYTES, "little") + message


class FrameDecoder:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self) -> None:
        self._rest = b""
        self._parts: list[bytes] = []
        self._missing = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Messages that are complete with `data`. Raises BrokenFrame."""
        if self._missing > len(data):
            # A long frame comes in many pieces; joining each would copy it as often.
            self._parts.append(data)
            self._missing -= len(data)
            return []
        content = b"".join((self._rest, *self._parts, data))
        self._parts.clear()
        messages, start = self._split(content)
        self._rest = content[start:]
        return messages

    def _split(self, content: bytes) -> tuple[list[bytes], int]:
        messages: list[bytes] = []
        start = 0
        self._missing = 0
        while len(content) - start >= _HEADER_BYTES:
            size = int.from_bytes(content[start : start + _HEADER_BYTES], "little")
            if size > MOST_FRAME_BYTES:
                raise BrokenFrame(f"a frame of {size} bytes is longer than {MOST_FRAME_BYTES}")
            end = start + _HEADER_BYTES + size
            if end > len(content):
                self._missing = end - len(content)
                break
            messages.append(content[start + _HEADER_BYTES : end])
            start = end
        return messages, start
