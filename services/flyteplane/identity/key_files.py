"""API keys in files: the one that an embedded platform makes for its owner, and the one that an operator mounts.

Whoever holds such a key has the role admin everywhere. A mounted key may be replaced while the platform runs: the file
is read again with each credential that is not remembered.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.rpc.key_files import create_key_file, read_private_file

_SHORTEST: Final = 32
_LONGEST: Final = 512


def ensure_owner_key(path: Path) -> str:
    """The key in a file of mode 0600; it is made first if there is none.

    Raises FailedPrecondition (KEY_FILE) for a file that others may read or that holds no key, Unavailable.
    """
    if not os.path.lexists(path):
        create_key_file(path, key=f"owner_{secrets.token_urlsafe(32)}\n".encode())
    return _checked(read_private_file(path, most_bytes=_LONGEST), path)


class MountedKey:
    """The key in a file that somebody else keeps, such as a mounted Secret."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Raise FailedPrecondition if there is no key of proper length in the file."""
        _checked(self._content(), self._path)

    def is_held_in(self, credential: str) -> bool:
        """Whether a credential is this key, by the file as it is now; False while there is none."""
        try:
            key = _checked(self._content(), self._path)
        except FailedPrecondition:
            return False
        return same(key, credential)

    def _content(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(_LONGEST + 1)
        except OSError as error:
            raise FailedPrecondition(
                f"the key file {self._path} cannot be read: {error.strerror}",
                reason="KEY_FILE",
                field="identity.bootstrap_key_file",
                mend="Mount it, or leave it out of the operator's file.",
            ) from error


def same(key: str, credential: str) -> bool:
    """Whether two keys are one, in a time that tells nothing."""
    return hmac.compare_digest(*(hashlib.sha256(text.encode()).digest() for text in (key, credential)))


def _checked(content: bytes, path: Path) -> str:
    key = content.decode("ascii", errors="replace").strip()
    if not _SHORTEST <= len(key) <= _LONGEST or not key.isascii() or len(key.split()) != 1:
        raise FailedPrecondition(
            f"the key file {path} holds no key",
            reason="KEY_FILE",
            limit=f"one word of {_SHORTEST} to {_LONGEST} characters",
            mend="Make one, for example with `openssl rand -hex 32`.",
        )
    return key
