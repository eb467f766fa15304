"""The port to the object store.

Adapters: memory, a folder, and S3-compatible stores. All pass `tests/contracts/objects`. A reader sees an object
whole or not at all. Adapters raise Unavailable when the store cannot be reached or is full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

Content: TypeAlias = bytes | Path


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Attributes:
    size_bytes: length of the content.
    modified_at: seconds since the epoch.
    """

    key: str
    size_bytes: int
    modified_at: float


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """Attributes:
    next_after: pass it as `after` to get the next page; empty on the last one.
    """

    objects: Sequence[ObjectInfo]
    next_after: str


class ObjectStore(Protocol):
    """Objects by key. Every method raises InvalidArgument (OBJECT_KEY) for a key that `validate_key` refuses."""

    async def put(self, key: str, content: Content) -> ObjectInfo:
        """Write or replace an object with bytes or with a file's content. Durable when it returns."""

    async def put_if_absent(self, key: str, content: Content) -> bool:
        """Write an object unless there is one; returns whether it was written. Of two at once exactly one wins."""

    async def get(self, key: str) -> bytes:
        """The whole content. Raises NotFound (OBJECT_NOT_FOUND)."""

    async def get_range(self, key: str, *, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on, fewer at the end, none behind it. Raises NotFound, InvalidArgument."""

    async def download(self, key: str, to: Path) -> ObjectInfo:
        """Write the content to a file, which is replaced at once. Raises NotFound."""

    async def head(self, key: str) -> ObjectInfo | None:
        """What is known of an object, or None."""

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> ObjectPage:
        """Objects whose key starts with `prefix` and is greater than `after`, in order of the keys."""

    async def delete(self, key: str) -> None:
        """Remove an object. Nothing happens when there is none."""


@runtime_checkable
class Presigner(Protocol):
    """What an adapter can also do when clients may reach the store themselves. Ask with `isinstance`."""

    async def presign_get(self, key: str, *, expires_in_s: float) -> str:
        """A URL that gives the object to whoever has it, for `expires_in_s` seconds."""

    async def presign_put(self, key: str, *, expires_in_s: float) -> str:
        """A URL that takes the object's content by HTTP PUT, for `expires_in_s` seconds."""
