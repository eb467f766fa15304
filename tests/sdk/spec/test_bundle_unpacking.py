"""A bundle whose headers are made up: whoever reads it holds little in memory, and ends with an error that is known."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest

from flyte.spec.bundle_unpacking import BundleTooLarge, BundleUnsafe, unpack_bundle

LIMITS = {"most_bytes": 256 << 20, "most_entries": 1000}
BOMB_BYTES = 64 << 20


def header(kind: bytes, size: int) -> bytes:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


def sparse_header() -> bytes:
    """Says that a map of holes follows, which says the same in each of its blocks."""
    block = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    block[482] = 1
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


SPARSE_MAP = b"00000000001\0" * 42 + b"\1" + bytes(7)


def zipped(*parts: tuple[bytes, int]) -> bytes:
    content = io.BytesIO()
    with gzip.open(content, "wb", 1) as file:
        for part, times in parts:
            for _ in range(times):
                file.write(part)
    return content.getvalue()


@pytest.mark.parametrize(
    "bomb",
    [
        zipped((header(tarfile.XHDTYPE, BOMB_BYTES), 1), (bytes(1 << 20), BOMB_BYTES >> 20)),
        zipped((header(tarfile.XGLTYPE, BOMB_BYTES), 1), (bytes(1 << 20), BOMB_BYTES >> 20)),
        zipped((header(tarfile.GNUTYPE_LONGNAME, BOMB_BYTES), 1), (bytes(1 << 20), BOMB_BYTES >> 20)),
        zipped((header(tarfile.XGLTYPE, 0), 5000)),
        zipped((sparse_header(), 1), (SPARSE_MAP, 5000)),
    ],
    ids=["attributes", "attributes of all", "a long name", "many headers", "a map of holes"],
)
def test_headers_that_would_fill_the_memory_are_refused(bomb: bytes, tmp_path: Path) -> None:
    packed, folder = tmp_path / "bundle.tar.gz", tmp_path / "content"
    packed.write_bytes(bomb)
    folder.mkdir()
    tracemalloc.start()
    try:
        with pytest.raises(BundleTooLarge, match="64 KiB"):
            unpack_bundle(packed, folder, **LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_headers_of_chance_end_in_an_error_that_is_known(tmp_path: Path) -> None:
    content = io.BytesIO()
    names = ("a.py", "n" * 90 + "/" + "n" * 90, "folder/\N{SNOWMAN}.py")
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            archive.addfile(entry, io.BytesIO(b"abc"))
    packed, whole = tmp_path / "bundle.tar.gz", content.getvalue()
    packed.write_bytes(gzip.compress(whole, 1))
    (sound := tmp_path / "sound").mkdir()
    unpack_bundle(packed, sound, **LIMITS)
    assert {path.relative_to(sound).as_posix() for path in sound.rglob("*.py")} == {"a.py", "folder/\N{SNOWMAN}.py"}
    assert (sound / names[1]).read_bytes() == b"abc"
    chance = random.Random(1)
    for number in range(60):
        spoiled = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            # Blocks of headers, with sums that are right: otherwise nothing of them is looked at.
            block = chance.randrange(0, len(whole) // 512) * 512
            spoiled[block + chance.choice((124, 156, 0, 345, *range(124, 136)))] = chance.randrange(256)
            spoiled[block + 148 : block + 156] = b" " * 8
            spoiled[block + 148 : block + 156] = b"%06o\0 " % sum(spoiled[block : block + 512])
        packed.write_bytes(gzip.compress(spoiled, 1))
        (folder := tmp_path / f"{number}").mkdir()
        try:
            unpack_bundle(packed, folder, **LIMITS)
        except (BundleTooLarge, BundleUnsafe, tarfile.TarError, EOFError, zlib.error, OSError):
            continue
