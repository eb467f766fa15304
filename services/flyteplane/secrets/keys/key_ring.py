"""Key-encryption keys in the memory of this process, whatever they were read from."""

import hashlib
from collections.abc import Sequence
from typing import Final

from flyteplane.foundation.errors import DataLoss, FailedPrecondition
from flyteplane.secrets.domain.cipher import KEY_BYTES, NotAuthentic, RandomBytes, decrypt, encrypt
from flyteplane.secrets.domain.values import WrappedKey

_ID_CHARACTERS: Final = 16


class KeyRing:
    """Implements `KeyProvider`.

    Args:
        keys: each of 32 bytes, the current one last.
    """

    def __init__(self, keys: Sequence[bytes], *, random_bytes: RandomBytes) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a key ring needs at least one key, each of {KEY_BYTES} bytes")
        self._keys = {key_id(key): key for key in keys}
        self._current = key_id(keys[-1])
        self._random_bytes = random_bytes

    async def current_key_id(self) -> str:
        """See the port."""
        return self._current

    async def wrap(self, data_key: bytes, *, binding: bytes) -> WrappedKey:
        """See the port."""
        content = encrypt(data_key, key=self._keys[self._current], associated=binding, random_bytes=self._random_bytes)
        return WrappedKey(key_id=self._current, content=content)

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        """See the port."""
        key = self._keys.get(wrapped.key_id)
        if key is None:
            raise FailedPrecondition(
                f"the key-encryption key {wrapped.key_id} is missing",
                reason="SECRET_KEY_MISSING",
                mend="Restore it from a backup and start the platform again, or store the secrets again.",
            )
        try:
            return decrypt(wrapped.content, key=key, associated=binding)
        except NotAuthentic:
            raise DataLoss(
                "the stored data key of a secret is damaged",
                reason="SECRET_DAMAGED",
                mend="Store the secret again with `flyte update secret`, or restore a backup.",
            ) from None


def key_id(key: bytes) -> str:
    """Names a key by its content, so that another key in its place is noticed before anything is decrypted with it."""
    return hashlib.sha256(b"flyteplane key id\0" + key).hexdigest()[:_ID_CHARACTERS]
