"""Authenticated encryption: AES-256-GCM with a random nonce in front of the ciphertext.

The associated data bind a ciphertext to what it is: moved to another secret, scope or version it does not decrypt.
The library takes 100 ms to import and is loaded with the first value.
"""

from collections.abc import Callable
from typing import Final

from flyteplane.foundation.digest import digest_of_parts
from flyteplane.secrets.domain.names import SecretName

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12

RandomBytes = Callable[[int], bytes]


class NotAuthentic(Exception):
    """The ciphertext was changed, was made under another key, or belongs to something else."""


def encrypt(plaintext: bytes, *, key: bytes, associated: bytes, random_bytes: RandomBytes) -> bytes:
    """Nonce, ciphertext and tag. A key must not encrypt more than 2**32 texts."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = random_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def decrypt(content: bytes, *, key: bytes, associated: bytes) -> bytes:
    """The plaintext. Raises NotAuthentic."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], associated)
    except (InvalidTag, ValueError):
        raise NotAuthentic from None


def binding(name: SecretName, *, version: int) -> bytes:
    """Associated data of one version of a secret."""
    return digest_of_parts(("flyteplane.secret.1", *name, str(version))).encode("ascii")
