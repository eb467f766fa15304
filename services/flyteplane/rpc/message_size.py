"""Keeping answers below what the edge and its clients take, whatever they are made of.

A page or a piece of a stream is bounded by a number of entries for the sake of whoever reads it, and by bytes for the
sake of the connection: entries carry errors, settings and task specifications of very different sizes. Whoever serves a
page cuts it at whichever bound comes first and says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

#: Of a page, or of a message of a stream. Clients of gRPC take 4 MiB unless they are told otherwise.
MOST_ANSWER_BYTES: Final = 3 * 1024 * 1024

T = TypeVar("T")


def fitting(entries: Sequence[T], *, size: Callable[[T], int], most_bytes: int = MOST_ANSWER_BYTES) -> Sequence[T]:
    """The first of `entries` that go into one answer; at least one if there is any.

    Args:
        size: bytes of an entry, as it is sent.
    """
    sum_bytes = 0
    for number, entry in enumerate(entries):
        sum_bytes += size(entry)
        if sum_bytes > most_bytes and number:
            return entries[:number]
    return entries


def pieces(
    entries: Sequence[T], *, size: Callable[[T], int], most: int, most_bytes: int = MOST_ANSWER_BYTES
) -> Iterator[Sequence[T]]:
    """`entries` in order, in pieces of at most `most` that each go into one answer."""
    start = 0
    while start < len(entries):
        piece = fitting(entries[start : start + most], size=size, most_bytes=most_bytes)
        yield piece
        start += len(piece)
