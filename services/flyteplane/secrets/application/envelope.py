"""Envelope encryption: each version of a value under a data key of its own, that key under one from a provider.

Losing one data key gives away one version; replacing the key-encryption key re-wraps 32 bytes for each secret and
never touches a value.
"""

from flyteplane.foundation.errors import DataLoss
from flyteplane.secrets.application.ports import KeyProvider
from flyteplane.secrets.domain.cipher import KEY_BYTES, NotAuthentic, RandomBytes, binding, decrypt, encrypt
from flyteplane.secrets.domain.names import SecretName
from flyteplane.secrets.domain.values import Sealed, SecretInfo, SecretValue, WrappedKey


class Envelope:
    """Seals and opens values.

    Args:
        random_bytes: the operating system's; anything that can be guessed undoes all of it.
    """

    def __init__(self, keys: KeyProvider, *, random_bytes: RandomBytes) -> None:
        self._keys = keys
        self._random_bytes = random_bytes

    async def current_key_id(self) -> str:
        """The key-encryption key that values are sealed under now. Raises Unavailable if it cannot be known."""
        return await self._keys.current_key_id()

    async def seal(self, value: SecretValue, *, name: SecretName, version: int) -> Sealed:
        """Encrypts a value as this version of this secret. Raises Unavailable if the keys cannot be reached."""
        bound = binding(name, version=version)
        data_key = self._random_bytes(KEY_BYTES)
        wrapped = await self._keys.wrap(data_key, binding=bound)
        content = encrypt(value.reveal(), key=data_key, associated=bound, random_bytes=self._random_bytes)
        return Sealed(key=wrapped, content=content)

    async def open(self, sealed: Sealed, *, info: SecretInfo) -> SecretValue:
        """Decrypts a value.

        Raises:
            DataLoss: what is stored is damaged, or was moved here from another secret, scope or version.
            FailedPrecondition: the key-encryption key is missing.
            Unavailable: the keys cannot be reached.
        """
        bound = binding(info.name, version=info.version)
        data_key = await self._keys.unwrap(sealed.key, binding=bound)
        try:
            return SecretValue(decrypt(sealed.content, key=data_key, associated=bound))
        except NotAuthentic:
            raise DataLoss(
                f"the stored value of secret {info.name.words} is damaged",
                reason="SECRET_DAMAGED",
                mend="Store it again with `flyte update secret`, or restore a backup.",
            ) from None

    async def rewrap(self, wrapped: WrappedKey, *, info: SecretInfo) -> WrappedKey:
        """The same data key under the provider's current key. Raises as `open` does."""
        bound = binding(info.name, version=info.version)
        return await self._keys.wrap(await self._keys.unwrap(wrapped, binding=bound), binding=bound)
