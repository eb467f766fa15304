"""The first request of a session, made without protobuf: it is on its way to a scheduler while that is loaded."""

from __future__ import annotations

import os
import socket
from typing import Final

from flyte.runner.startup import PROTOCOL
from flyte.spec.version import __version__

_REPORTS: Final = 1
_HELLO: Final = 2
_TOKEN, _PROTOCOL, _PID, _HOSTNAME, _SDK_VERSION = range(1, 6)
_NUMBER, _BYTES = 0, 2
"""Wire types."""


def first_request(token: str) -> bytes:
    """A `SessionRequest` with the `Hello` of a worker that runs nothing yet, see `flyte.runner.pod.hello`."""
    hello = b"".join(
        (
            _bytes(_TOKEN, token.encode()),
            _number(_PROTOCOL, PROTOCOL),
            _number(_PID, os.getpid()),
            _bytes(_HOSTNAME, socket.gethostname().encode()),
            _bytes(_SDK_VERSION, __version__.encode()),
        )
    )
    return _bytes(_REPORTS, _bytes(_HELLO, hello))


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _NUMBER) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
