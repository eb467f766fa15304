"""What a code bundle may contain, and how it is unpacked: the one rule for services and workers.

A bundle comes from a user and is not trusted: nothing is written outside of its folder, no links, devices or odd file
modes come out of it, and it cannot fill the disk or the memory of whoever reads it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    import tarfile

MOST_UNPACKED_BYTES: Final = 2 * 1024**3
"""Most bytes of all files of a bundle together, unpacked."""
MOST_ENTRIES: Final = 100_000
"""Most files and folders of a bundle."""

_CHUNK_BYTES: Final = 1 << 20
#: What stands between two entries. `tarfile` reads long names and attributes at once, however long they say they are,
#: and one of them inside of the other; ours have a few hundred bytes.
_MOST_HEADER_BYTES: Final = 64 << 10
#: What the system says of a name that no file can have here: it is too long, or at once that of a file and of a folder.
_NO_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST})
#: `zlib` is to expect the header of gzip.
_GZIP: Final = 31


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
    with packed.open("rb") as file:
        for member, content in entries_of(file, most_bytes=most_bytes, most_entries=most_entries):
            _unpack_member(member, content, folder)


def entries_of(
    packed: BinaryIO, *, most_bytes: int, most_entries: int
) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The files of a .tar.gz with their content, to be read before the next is asked for, and its folders with None.

    Raises as `unpack_bundle`.
    """
    import tarfile
    import zlib

    stream = _Unzipped(packed, zlib.decompressobj(_GZIP))
    total_bytes = entries = 0
    archive = None
    while True:
        stream.may_read = _MOST_HEADER_BYTES
        try:
            # A stream has no more of a file than reading forwards takes.
            archive = archive or tarfile.TarFile(fileobj=stream, mode="r")  # type: ignore[arg-type]
            member = archive.next()
        except (BundleTooLarge, tarfile.TarError, zlib.error, OSError):
            raise
        except Exception as error:
            # What it is not prepared for ends in whatever error it comes to.
            raise tarfile.ReadError("the headers cannot be read") from error
        if member is None:
            return
        entries += 1
        total_bytes += member.size
        if entries > most_entries or total_bytes > most_bytes:
            raise BundleTooLarge(f"{most_bytes >> 20} MiB and {most_entries} files")
        _refuse_unsafe(member)
        stream.may_read = member.size
        yield member, archive.extractfile(member)


class _Unzipped:
    """The content of a gzipped file as `tarfile` reads it: forwards only, and `may_read` bytes until told otherwise."""

    def __init__(self, packed: BinaryIO, inflating: Any) -> None:
        self._packed = packed
        self._inflating = inflating
        self._position = 0
        self.may_read = 0

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise ValueError("a bundle is read forwards only")
        while self._position < position and self._read(min(position - self._position, _CHUNK_BYTES)):
            pass

    def read(self, size: int) -> bytes:
        self.may_read -= size
        if self.may_read < 0:
            raise BundleTooLarge(f"{_MOST_HEADER_BYTES >> 10} KiB beside the content of a file")
        return self._read(size)

    def _read(self, size: int) -> bytes:
        pieces = []
        while size and not self._inflating.eof:
            waiting = self._inflating.unconsumed_tail or self._packed.read(_CHUNK_BYTES)
            piece = self._inflating.decompress(waiting, size)
            if not waiting and not piece:
                break
            pieces.append(piece)
            self._position += len(piece)
            size -= len(piece)
        return b"".join(pieces)


def _refuse_unsafe(member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name)
    plain = member.isdir() or (member.isreg() and not member.issparse())
    if name.is_absolute() or ".." in name.parts or "\0" in member.name or member.size < 0 or not plain:
        raise BundleUnsafe(member.name)


def _unpack_member(member: tarfile.TarInfo, content: IO[bytes] | None, folder: Path) -> None:
    try:
        _write_member(member, content, folder)
    except OSError as error:
        if error.errno in _NO_NAME:
            raise BundleUnsafe(member.name) from error
        raise


def _write_member(member: tarfile.TarInfo, content: IO[bytes] | None, folder: Path) -> None:
    import shutil

    path = folder.joinpath(PurePosixPath(member.name))
    if content is None:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(content, file, _CHUNK_BYTES)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)
