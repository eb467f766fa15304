"""Whether the data that results refer to is still in the platform's object store."""

import asyncio
from collections.abc import Sequence
from typing import Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.objects import ObjectStore

#: Objects that are looked at side by side.
_AT_A_TIME: Final = 32


class PlatformObjects:
    """Implements `StoredObjects`.

    Args:
        prefix: what the addresses of the platform's own objects begin with; the rest is the key.
    """

    def __init__(self, objects: ObjectStore, *, prefix: str) -> None:
        self._objects = objects
        self._prefix = prefix
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def missing(self, addresses: Sequence[str]) -> Sequence[str]:
        """See the port."""
        own = [address for address in dict.fromkeys(addresses) if address.startswith(self._prefix)]
        there = await asyncio.gather(*(self._is_there(address.removeprefix(self._prefix)) for address in own))
        return [address for address, found in zip(own, there, strict=True) if not found]

    async def _is_there(self, key: str) -> bool:
        key = key.rstrip("/")
        async with self._slots:
            try:
                if await self._objects.head(key) is not None:
                    return True
                # A folder or a table of several files is a prefix.
                return bool((await self._objects.list(f"{key}/", limit=1)).objects)
            except InvalidArgument:
                return True  # Not an address that the store gives out: whoever wrote it knows what it is.


class EverythingIsThere:
    """Implements `StoredObjects` for a platform that cannot look."""

    async def missing(self, addresses: Sequence[str]) -> Sequence[str]:
        """See the port."""
        return []
