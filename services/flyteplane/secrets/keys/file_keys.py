"""Key-encryption keys in a folder: `secrets-0001.key` and so on; the highest number is the current one.

The platform never changes or removes a file. To replace a key, `flyte update secret-keys --new` adds one and moves
every secret under it, while the platform runs; without a running platform `python -m flyteplane.secrets` adds one, and
the next start moves the secrets. Older files may be removed when `flyte get secret-keys` counts no secret under them.

A key that was read once stays in memory: a file that is removed too early does no harm before the next start.
"""

import re
from pathlib import Path
from typing import Final

from flyteplane.rpc.key_files import create_key_file, read_key_file
from flyteplane.secrets.domain.cipher import KEY_BYTES, RandomBytes
from flyteplane.secrets.domain.values import WrappedKey
from flyteplane.secrets.keys.key_ring import KeyRing

_FILE: Final = re.compile(r"secrets-(\d{4,9})\.key")


class FileKeys(KeyRing):
    """Implements `KeyProvider` with the files of a folder. Makes none before it is asked to prepare or for a new key.

    Reading raises FailedPrecondition (KEY_FILE) for a file that others may read, Unavailable for one that cannot be
    read or made.
    """

    def __init__(self, folder: Path, *, random_bytes: RandomBytes) -> None:
        super().__init__(_read(folder), random_bytes=random_bytes)
        self._folder = folder

    async def refresh(self) -> None:
        """See the port."""
        for key in _read(self._folder):
            self._hold(key)

    async def new_key(self) -> str:
        """See the port."""
        add_key(self._folder, random_bytes=self._random_bytes)
        await self.refresh()
        return self._current

    async def unwrap(self, wrapped: WrappedKey, *, binding: bytes) -> bytes:
        """See the port."""
        if wrapped.key_id not in self._keys:
            # Its file may have been restored since.
            await self.refresh()
        return await super().unwrap(wrapped, binding=binding)


def add_key(folder: Path, *, random_bytes: RandomBytes) -> Path:
    """Makes a new key, the current one once it is read; returns its file. Raises Unavailable."""
    number = max(_files(folder), default=0) + 1
    path = folder / f"secrets-{number:04}.key"
    # Somebody else may have made it in this moment; then that is the new key.
    create_key_file(path, key=random_bytes(KEY_BYTES))
    return path


def _read(folder: Path) -> list[bytes]:
    return [read_key_file(path) for _, path in sorted(_files(folder).items())]


def _files(folder: Path) -> dict[int, Path]:
    try:
        return {int(found[1]): path for path in folder.iterdir() if (found := _FILE.fullmatch(path.name))}
    except FileNotFoundError:
        return {}
