"""Key-encryption keys in the memory of this process, whatever they were read from."""

import hashlib
from collections.abc import Sequence
from typing import Final

from flyteplane.foundation.errors import DataLoss, FailedPrecondition
from flyteplane.secrets.domain.cipher import KEY_BYTES, NotAuthentic, RandomBytes, decrypt, encrypt
from flyteplane.secrets.domain.values import WrappedKey

#: Reason of the refusal of a secret whose key is not at hand.
MISSING: Final = "SECRET_KEY_MISSING"
_ID_CHARACTERS: Final = 16


class KeyRing:
    """Implements `KeyProvider`.

    Args:
        keys: each of 32 bytes, the current one last; none is a ring that has yet to be prepared.
    """

    def __init__(self, keys: Sequence[bytes], *, random_bytes: RandomBytes) -> None:
        self._keys: dict[str, bytes] = {}
        self._current = ""
        self._random_bytes = random_bytes
        for key in keys:
            self._hold(key)

    async def prepare(self) -> None:
        """See the port."""
        if not self._current:
            await self.new_key()

    async def refresh(self) -> None:
        """See the port."""

    async def new_key(self) -> str:
        """See the port. The new key is gone with the process."""
        self._hold(self._random_bytes(KEY_BYTES))
        return self._current

    async def current_key_id(self) -> str:
        """See the port."""
        return self._current

    async def holds(self, key_id: str) -> bool:
        """See the port."""
        return key_id in self._keys

    async def wrap(self, data_key: bytes, *, binding: bytes) -> WrappedKey:
        """See the port."""
        if not self._current:
            raise missing_key("that new secrets need")
        content = encrypt(data_key, key=self._keys[self._current], associated=binding, random_bytes=self._random_bytes)
        return WrappedKey(key_id=self._current, content=content)

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        """See the port."""
        key = self._keys.get(wrapped.key_id)
        if key is None:
            raise missing_key(wrapped.key_id)
        try:
            return decrypt(wrapped.content, key=key, associated=binding)
        except NotAuthentic:
            raise damaged_key() from None

    def _hold(self, key: bytes) -> None:
        """Adds a key and makes it the current one."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes, not {len(key)}")
        self._current = key_id(key)
        self._keys[self._current] = key


def key_id(key: bytes) -> str:
    """Names a key by its content, so that another key in its place is noticed before anything is decrypted with it."""
    return hashlib.sha256(b"flyteplane key id\0" + key).hexdigest()[:_ID_CHARACTERS]


def missing_key(key_id: str) -> FailedPrecondition:
    """The refusal of a secret whose key-encryption key is not at hand."""
    return FailedPrecondition(
        f"the key-encryption key {key_id} is missing",
        reason=MISSING,
        mend="Restore it from a backup and start the platform again, or store the secrets again.",
    )


def damaged_key() -> DataLoss:
    """The refusal of a data key that was changed, or moved here from another secret."""
    return DataLoss(
        "the stored data key of a secret is damaged",
        reason="SECRET_DAMAGED",
        mend="Store the secret again with `flyte update secret`, or restore a backup.",
    )
