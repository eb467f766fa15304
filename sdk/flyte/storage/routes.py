"""Addresses that are not reached by what they say, but in another way: where a worker has no access to a store itself.

A route holds for all addresses below a prefix, of whatever scheme, a file:// address included: it is then no address of
this machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol


class Transport(Protocol):
    """Reads and writes objects. Everything blocks; what is not there raises FileNotFoundError."""

    def put_bytes(self, data: bytes, uri: str) -> None:
        """Write an object as a whole."""

    def put_file(self, path: Path, uri: str) -> None:
        """Write an object from a file."""

    def get_bytes(self, uri: str) -> bytes:
        """Return an object as a whole."""

    def get_file(self, uri: str, path: Path) -> None:
        """Write an object to a file."""

    def size_of(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if there is none."""

    def list_sizes(self, uri: str) -> Iterator[tuple[str, int]]:
        """Yield address and size of each object below a prefix."""

    def open_read(self, uri: str) -> BinaryIO:
        """Open an object for reading."""


_routes: dict[str, Transport] = {}


def add_route(prefix: str, transport: Transport) -> None:
    """Reach all addresses below a prefix, which ends in "/", through a transport. Replaces a route of this prefix."""
    if not prefix.endswith("/"):
        raise ValueError(f"a route is for what lies below a prefix that ends in '/', not for {prefix!r}")
    _routes[prefix] = transport


def remove_route(prefix: str) -> None:
    """Forget a route."""
    _routes.pop(prefix, None)


def route_of(uri: str) -> Transport | None:
    """Return the transport of an address, that of the longest prefix, or None if it is reached by what it says."""
    if not _routes:
        return None
    prefix = max((prefix for prefix in _routes if uri.startswith(prefix)), key=len, default=None)
    return None if prefix is None else _routes[prefix]
