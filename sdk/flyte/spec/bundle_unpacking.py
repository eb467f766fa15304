"""What a code bundle may contain, and how it is unpacked: the one rule for services and workers.

A bundle comes from a user and is not trusted: nothing is written outside of its folder, no links, devices or odd file
modes come out of it, and it cannot fill the disk.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import tarfile

MOST_UNPACKED_BYTES: Final = 2 * 1024**3
"""Most bytes of all files of a bundle together, unpacked."""
MOST_ENTRIES: Final = 100_000
"""Most files and folders of a bundle."""

_CHUNK_BYTES: Final = 1 << 20


class BundleTooLarge(ValueError):
    """It would unpack to more than it may. `limit` says how much that is."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the code bundle is larger than {limit} when unpacked")
        self.limit = limit


class BundleUnsafe(ValueError):
    """An entry is no plain file or folder inside of the bundle."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the code bundle has an entry {name[:200]!r} that is no plain file or folder inside of it")


def unpack_bundle(packed: Path, folder: Path, *, most_bytes: int, most_entries: int) -> None:
    """Unpacks a .tar.gz into a folder that is there.

    Raises BundleTooLarge, BundleUnsafe; tarfile.TarError, EOFError or zlib.error for what is no gzipped tar; OSError.
    """
    import tarfile

    total_bytes = entries = 0
    # The stream form reads ahead nothing, so the limits stop a bomb before it has gone off.
    with packed.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as archive:
        for member in archive:
            entries += 1
            total_bytes += member.size
            if entries > most_entries or total_bytes > most_bytes:
                raise BundleTooLarge(f"{most_bytes >> 20} MiB and {most_entries} files")
            _unpack_member(archive, member, folder)


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    import shutil

    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\0" in member.name or not (member.isfile() or member.isdir()):
        raise BundleUnsafe(member.name)
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
