"""Unpacking a code bundle inside a container.

The bundle was stored by the platform under its digest, and is nevertheless not trusted: it is unpacked only if its
content has that digest, nothing is written outside of its folder, no links or devices come out of it, and it cannot
fill the disk.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from flyte.runner.pod.endings import CannotRun

if TYPE_CHECKING:
    import tarfile

MOST_UNPACKED_BYTES: Final = 2 << 30
MOST_ENTRIES: Final = 100_000
_CHUNK_BYTES: Final = 1 << 20


def unpack(packed: Path, folder: Path, *, digest: str, most_bytes: int = MOST_UNPACKED_BYTES) -> None:
    """Unpacks a .tar.gz into a new folder. Raises CannotRun if it is not what it should be, or does not fit."""
    import tarfile
    import zlib

    with packed.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise CannotRun(
                f"The code bundle {digest} came with another content.", code="BUNDLE_DIGEST", recoverable=True
            )
    folder.mkdir(parents=True)
    try:
        _unpack(packed, folder, most_bytes=most_bytes)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise CannotRun(f"The code bundle {digest} is no gzipped tar: {error}.", code="BUNDLE_DAMAGED") from error
    except OSError as error:
        message = f"The code bundle {digest} cannot be unpacked in the container: {error}."
        raise CannotRun(message, code="BUNDLE_UNPACKING", recoverable=True) from error


def _unpack(packed: Path, folder: Path, *, most_bytes: int) -> None:
    import tarfile

    total_bytes = entries = 0
    # The stream form reads ahead nothing, so the limits stop a bomb before it has gone off.
    with packed.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as archive:
        for member in archive:
            entries += 1
            total_bytes += member.size
            if entries > MOST_ENTRIES or total_bytes > most_bytes:
                limit = f"{most_bytes >> 20} MiB and {MOST_ENTRIES} files"
                raise CannotRun(f"The code bundle is larger than {limit} when unpacked.", code="BUNDLE_TOO_LARGE")
            _unpack_member(archive, member, folder)


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\0" in member.name or not (member.isfile() or member.isdir()):
        raise CannotRun(
            f"The code bundle has an entry {member.name[:200]!r} that is no plain file or folder inside of it.",
            code="BUNDLE_UNSAFE",
        )
    path = folder.joinpath(name)
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member)
    assert content is not None
    with path.open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK_BYTES)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
