"""Key-encryption keys that never leave Vault (or OpenBao): data keys are wrapped by its transit engine.

What Vault must allow the platform, for a key KEY at a mount MOUNT:

    path "MOUNT/encrypt/KEY"     { capabilities = ["update"] }
    path "MOUNT/decrypt/KEY"     { capabilities = ["update"] }
    path "MOUNT/keys/KEY"        { capabilities = ["read"] }
    path "MOUNT/keys/KEY/rotate" { capabilities = ["update"] }      # for `flyte update secret-keys --new`

The key is made by the operator, neither derived nor convergent, and of a kind that encrypts. A data key travels with a
digest of what it is bound to, so that no version of Vault has to know associated data for it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any, Final

from flyteplane.foundation.errors import FailedPrecondition, PlatformError
from flyteplane.secrets.domain.cipher import KEY_BYTES
from flyteplane.secrets.domain.values import WrappedKey
from flyteplane.secrets.keys.key_ring import damaged_key, missing_key
from flyteplane.secrets.keys.vault_session import Refused, VaultSession
from flyteplane.secrets.settings import VaultSettings

_CIPHERTEXT: Final = re.compile(r"vault:v([1-9]\d{0,9}):[A-Za-z0-9+/=]+")


class VaultKeys:
    """Implements `KeyProvider` with the transit engine. A version of the Vault key is a key of ours."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._session = VaultSession(settings)
        self._names = {"name": settings.key, "mount_point": settings.mount}
        self._versions: range | None = None

    async def prepare(self) -> None:
        """See the port. The key is the operator's to make."""

    async def refresh(self) -> None:
        """See the port."""
        key = (await self._ask(lambda transit: transit.read_key(**self._names)))["data"]
        if key.get("derived") or not key.get("supports_encryption", True):
            raise self._unusable("is derived, or of a kind that does not encrypt")
        self._versions = range(max(1, int(key["min_decryption_version"])), int(key["latest_version"]) + 1)

    async def new_key(self) -> str:
        """See the port."""
        await self._ask(lambda transit: transit.rotate_key(**self._names))
        await self.refresh()
        return await self.current_key_id()

    async def current_key_id(self) -> str:
        """See the port."""
        return self._key_id((await self._known_versions())[-1])

    async def holds(self, key_id: str) -> bool:
        """See the port."""
        version = self._version(key_id)
        if version is None:
            return False
        if version not in await self._known_versions():
            await self.refresh()
        return version in await self._known_versions()

    async def wrap(self, data_key: bytes, *, binding: bytes) -> WrappedKey:
        """See the port."""
        plaintext = base64.b64encode(data_key + _digest(binding)).decode("ascii")
        answer = await self._ask(lambda transit: transit.encrypt_data(plaintext=plaintext, **self._names))
        content = answer["data"]["ciphertext"]
        found = _CIPHERTEXT.fullmatch(content)
        if found is None:
            raise self._unusable("answers with something that is no ciphertext")
        return WrappedKey(key_id=self._key_id(int(found[1])), content=content.encode("ascii"))

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        """See the port."""
        version = self._version(wrapped.key_id)
        if version is None:
            raise missing_key(wrapped.key_id)
        content = wrapped.content.decode("ascii", "replace")
        found = _CIPHERTEXT.fullmatch(content)
        if found is None or int(found[1]) != version:
            raise damaged_key()
        try:
            answer = await self._put(lambda transit: transit.decrypt_data(ciphertext=content, **self._names))
        except Refused as refused:
            if "not found" in refused.words:
                raise self._unusable("does not exist") from None
            # Too old by policy, or trimmed: the key is gone, and the stored data key may be sound.
            raise (missing_key(wrapped.key_id) if "version" in refused.words else damaged_key()) from None
        return _opened(answer["data"]["plaintext"], binding)

    async def _known_versions(self) -> range:
        if self._versions is None:
            await self.refresh()
        return self._versions or range(0)

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        """The answer to a question that Vault has no reason to refuse."""
        try:
            return await self._put(question)
        except Refused:
            raise self._unusable("cannot be used as the policies and the engine are") from None

    async def _put(self, question: Callable[[Any], Any]) -> Any:
        try:
            return await asyncio.to_thread(self._session.ask, lambda client: question(client.secrets.transit))
        except LookupError:
            raise self._unusable("does not exist") from None

    def _key_id(self, version: int) -> str:
        return f"{self._prefix}{version}"

    def _version(self, key_id: str) -> int | None:
        number = key_id.removeprefix(self._prefix)
        return int(number) if number != key_id and number.isascii() and number.isdecimal() else None

    @property
    def _prefix(self) -> str:
        return f"vault:{self._settings.mount}/{self._settings.key}:v"

    def _unusable(self, what: str) -> PlatformError:
        return FailedPrecondition(
            f"the key {self._settings.key} at {self._settings.mount} of Vault {what}",
            reason="VAULT_KEY",
            mend="Make it with `vault write -f MOUNT/keys/KEY`, or correct secrets.vault in the operator's file.",
        )


def _digest(binding: bytes) -> bytes:
    return hashlib.sha256(b"flyteplane vault binding\0" + binding).digest()


def _opened(plaintext: str, binding: bytes) -> bytes:
    try:
        content = base64.b64decode(plaintext, validate=True)
    except (binascii.Error, ValueError):
        raise damaged_key() from None
    data_key, bound = content[:KEY_BYTES], content[KEY_BYTES:]
    if not hmac.compare_digest(bound, _digest(binding)):
        raise damaged_key()
    return data_key
