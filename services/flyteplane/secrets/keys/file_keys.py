"""Key-encryption keys in the platform's key folder: `secrets-0001.key` and so on; the highest number is the current.

The platform never changes or removes a file. To replace a key, add one (`python -m flyteplane.secrets`) and start the
platform again: starting moves every secret under the current key, and then the older files may be removed.
"""

import re
from pathlib import Path
from typing import Final

from flyteplane.rpc.key_files import create_key_file, read_key_file
from flyteplane.secrets.domain.cipher import KEY_BYTES, RandomBytes
from flyteplane.secrets.keys.key_ring import KeyRing

_FILE: Final = re.compile(r"secrets-(\d{4,9})\.key")


class FileKeys(KeyRing):
    """Implements `KeyProvider` with the files of a folder, read once.

    Raises FailedPrecondition (KEY_FILE) for a file that others may read, Unavailable for one that cannot be read or
    made.
    """

    def __init__(self, folder: Path, *, random_bytes: RandomBytes) -> None:
        if not _files(folder):
            _add_file(folder, number=1, random_bytes=random_bytes)
        keys = [read_key_file(path) for _, path in sorted(_files(folder).items())]
        super().__init__(keys, random_bytes=random_bytes)


def add_key(folder: Path, *, random_bytes: RandomBytes) -> Path:
    """Makes a new key, the current one from the next start on; returns its file. Raises Unavailable."""
    number = max(_files(folder), default=0) + 1
    return _add_file(folder, number=number, random_bytes=random_bytes)


def _add_file(folder: Path, *, number: int, random_bytes: RandomBytes) -> Path:
    path = folder / f"secrets-{number:04}.key"
    # Somebody else may have made it in this moment; then that is the new key.
    create_key_file(path, key=random_bytes(KEY_BYTES))
    return path


def _files(folder: Path) -> dict[int, Path]:
    try:
        return {int(found[1]): path for path in folder.iterdir() if (found := _FILE.fullmatch(path.name))}
    except FileNotFoundError:
        return {}
