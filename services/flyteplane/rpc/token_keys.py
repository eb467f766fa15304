"""The keys that tokens are signed with: one at present, and those before it for as long as tokens of theirs hold.

In the folder of keys lie `tokens.key`, made by whoever starts first, and while a key is being changed also the one
before it, `tokens.previous.key`. Changing it takes no pause:

    mv tokens.key tokens.previous.key     # and put a new tokens.key there, or let the next start make one
    ... start the processes again, one after the other; then, when the longest token has expired:
    rm tokens.previous.key

A process signs with the key that it was started with. It reads the folder again when it meets a token that was signed
with a key that it does not know, so processes that were started before and after the change understand each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger
from flyteplane.rpc.key_files import KEY_BYTES, ensure_key_file, read_key_file

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock

_log = get_logger("rpc.token_keys")
_PRESENT, _PREVIOUS = "tokens.key", "tokens.previous.key"
#: Whoever sends tokens under made-up keys has the folder read this often and no more.
_READ_AGAIN_S: Final = 1.0


class TokenKeys(Protocol):
    """Finds the key that a token was signed with."""

    @property
    def present(self) -> bytes:
        """The key to sign with; it also checks tokens that name none."""

    def named(self, name: str) -> bytes | None:
        """The key of this name, as `name_of` makes it; None for one that is not ours."""


def name_of(key: bytes) -> str:
    """How a token says which key it was signed with; says nothing of the key."""
    return hashlib.sha256(b"flyteplane token key\0" + key).hexdigest()[:16]


class KnownKeys:
    """Implements `TokenKeys` with keys in memory. Raises ValueError for one of another size than 32 bytes."""

    def __init__(self, present: bytes, *, others: Iterable[bytes] = ()) -> None:
        self.present = present
        keys = (present, *others)
        for key in keys:
            if len(key) != KEY_BYTES:
                raise ValueError(f"a token key has {KEY_BYTES} bytes, not {len(key)}")
        self._by_name = {name_of(key): key for key in keys}

    def named(self, name: str) -> bytes | None:
        """See `TokenKeys`."""
        return self._by_name.get(name)


class KeysInFolder:
    """Implements `TokenKeys` with the files of a folder; the present one is made if there is none.

    Raises as `flyteplane.rpc.key_files.ensure_key_file` does.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._known = self._read(ensure_key_file(folder / _PRESENT))
        self._read_at = clock.monotonic()

    @property
    def present(self) -> bytes:
        """See `TokenKeys`: that of the start, for as long as the process lives."""
        return self._known.present

    def named(self, name: str) -> bytes | None:
        """See `TokenKeys`."""
        now = self._clock.monotonic()
        if (found := self._known.named(name)) is None and now - self._read_at >= _READ_AGAIN_S:
            self._read_at = now
            self._known = self._read(self._known.present)
            found = self._known.named(name)
        return found

    def _read(self, present: bytes) -> KnownKeys:
        others = []
        for name in (_PRESENT, _PREVIOUS):
            path = self._folder / name
            if not path.exists():
                # There is mostly no key before; and while one is changed, none at present.
                continue
            try:
                others.append(read_key_file(path))
            except PlatformError as error:
                _log.warning("token_key_not_used", problem=error.public_text)
        return KnownKeys(present, others=others)
