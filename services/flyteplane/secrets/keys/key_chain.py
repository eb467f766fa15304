"""Several providers as one: the first is the current one, and the others still unwrap what is under their keys.

So an operator who moves from key files to Vault, or back, changes the setting and starts the platform: every secret is
readable at once, and is moved under the key of the new provider.
"""

from collections.abc import Sequence

from flyteplane.secrets.application.ports import KeyProvider
from flyteplane.secrets.domain.values import WrappedKey


class KeyChain:
    """Implements `KeyProvider`."""

    def __init__(self, current: KeyProvider, older: Sequence[KeyProvider]) -> None:
        self._current = current
        self._all = (current, *older)

    async def prepare(self) -> None:
        """See the port."""
        await self._current.prepare()

    async def refresh(self) -> None:
        """See the port."""
        for provider in self._all:
            await provider.refresh()

    async def new_key(self) -> str:
        """See the port."""
        return await self._current.new_key()

    async def current_key_id(self) -> str:
        """See the port."""
        return await self._current.current_key_id()

    async def holds(self, key_id: str) -> bool:
        """See the port."""
        return await self._holder(key_id) is not None

    async def wrap(self, data_key: bytes, *, binding: bytes) -> WrappedKey:
        """See the port."""
        return await self._current.wrap(data_key, binding=binding)

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        """See the port."""
        holder = await self._holder(wrapped.key_id)
        if holder is None:
            # It may have come back since.
            await self.refresh()
            holder = await self._holder(wrapped.key_id) or self._current
        return await holder.unwrap(wrapped, binding=binding)

    async def _holder(self, key_id: str) -> KeyProvider | None:
        for provider in self._all:
            if await provider.holds(key_id):
                return provider
        return None
