"""Content addresses.

A digest is the lower-case hexadecimal SHA-256 of the content. Digests of several parts mark where each part ends, so
that ("ab", "c") and ("a", "bc") differ.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: Characters of a digest.
DIGEST_CHARACTERS: Final = 64
_CHUNK_BYTES: Final = 1 << 20


def digest(content: bytes) -> str:
    """The digest of `content`."""
    return hashlib.sha256(content).hexdigest()


def digest_of_parts(parts: Iterable[bytes | str]) -> str:
    """The digest of a sequence of parts; text counts as its UTF-8."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big"))
        total.update(content)
    return total.hexdigest()


def digest_of_file(path: Path) -> str:
    """The digest of a file's content, read in pieces. Raises OSError."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()


def is_digest(text: str) -> bool:
    """Whether `text` has the form of a digest."""
    return len(text) == DIGEST_CHARACTERS and all(character in "0123456789abcdef" for character in text)
