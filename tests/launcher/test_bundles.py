"""Unpacking code bundles: once, whole, checked, and never outside of their folder."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from flyteplane.foundation.errors import DataLoss, InvalidArgument, NotFound
from flyteplane.objects import FolderObjectStore
from flyteplane.objects.bundles import BundleStore


def file_entry(name: str, content: bytes = b"x", *, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    return entry, content


def special_entry(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry, b""


def packed(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Bundles:
    def __init__(self, folder: Path, **limits: int) -> None:
        self.objects = FolderObjectStore(folder / "objects")
        self.root = folder / "bundles"
        self.store = BundleStore(self.objects, root=self.root, **limits)

    async def put(self, content: bytes, *, digest: str = "") -> str:
        digest = digest or hashlib.sha256(content).hexdigest()
        await self.objects.put(f"bundles/{digest}.tar.gz", content)
        return digest

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir()) if self.root.exists() else []


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    return Bundles(tmp_path)


async def test_a_bundle_is_unpacked_once_for_all_who_ask(bundles: Bundles) -> None:
    digest = await bundles.put(packed([file_entry("pkg/a.py", b"A = 1\n"), file_entry("run.sh", mode=0o755)]))
    paths = await asyncio.gather(*(bundles.store.bundle_path(digest) for _ in range(10)))
    assert set(paths) == {str(bundles.root / digest)}
    assert (bundles.root / digest / "pkg/a.py").read_bytes() == b"A = 1\n"
    assert (bundles.root / digest / "run.sh").stat().st_mode & 0o777 == 0o755
    assert bundles.folders() == [digest]
    await bundles.objects.delete(f"bundles/{digest}.tar.gz")
    assert await bundles.store.bundle_path(digest) == paths[0]


async def test_a_folder_from_an_earlier_process_is_used_and_half_ones_are_removed(bundles: Bundles) -> None:
    digest = await bundles.put(packed([file_entry("a.py")]))
    await bundles.store.bundle_path(digest)
    (bundles.root / ".unpacking-left").mkdir()
    (bundles.root / ".unpacking-left/half.py").touch()
    later = BundleStore(bundles.objects, root=bundles.root)
    later.remove_abandoned()
    await bundles.objects.delete(f"bundles/{digest}.tar.gz")
    assert await later.bundle_path(digest) == str(bundles.root / digest)
    assert bundles.folders() == [digest]


@pytest.mark.parametrize(
    "entry",
    [
        file_entry("/etc/passwd"),
        file_entry("../out.py"),
        file_entry("a/../../out.py"),
        file_entry("a.py/b.py"),
        file_entry("n" * 300),
        special_entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        special_entry("link", tarfile.LNKTYPE, "a.py"),
        special_entry("pipe", tarfile.FIFOTYPE),
        special_entry("device", tarfile.CHRTYPE),
    ],
    ids=lambda entry: f"{entry[0].name}-{entry[0].type!r}",
)
async def test_an_entry_that_could_reach_outside_is_refused(
    bundles: Bundles, entry: tuple[tarfile.TarInfo, bytes]
) -> None:
    digest = await bundles.put(packed([file_entry("a.py"), entry]))
    with pytest.raises(InvalidArgument) as refusal:
        await bundles.store.bundle_path(digest)
    assert refusal.value.reason == "BUNDLE_UNSAFE"
    assert bundles.folders() == []


async def test_a_bomb_is_stopped_before_it_fills_the_disk(tmp_path: Path) -> None:
    bundles = Bundles(tmp_path, most_bytes=1 << 20, most_entries=50)
    for content in (
        packed([file_entry("zeros", bytes(2 << 20))]),
        packed(file_entry(f"f{number}", b"") for number in range(51)),
    ):
        digest = await bundles.put(content)
        with pytest.raises(InvalidArgument) as refusal:
            await bundles.store.bundle_path(digest)
        assert (refusal.value.reason, refusal.value.limit) == ("BUNDLE_TOO_LARGE", "1 MiB and 50 files")
    assert bundles.folders() == []


async def test_content_under_another_digest_is_never_run(bundles: Bundles) -> None:
    digest = await bundles.put(packed([file_entry("a.py")]), digest="ab" * 32)
    with pytest.raises(DataLoss):
        await bundles.store.bundle_path(digest)
    assert bundles.folders() == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no gzip", id="no gzip"),
        pytest.param(gzip.compress(b"no tar" * 1000), id="no tar"),
        pytest.param(packed([file_entry("a.py")])[:-20], id="cut short"),
    ],
)
async def test_a_damaged_bundle_is_data_loss(bundles: Bundles, content: bytes) -> None:
    with pytest.raises(DataLoss):
        await bundles.store.bundle_path(await bundles.put(content))
    assert bundles.folders() == []


async def test_a_bundle_that_is_not_there_is_not_found_until_it_is(bundles: Bundles) -> None:
    content = packed([file_entry("a.py")])
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(NotFound):
        await bundles.store.bundle_path(digest)
    await bundles.put(content)
    assert await bundles.store.bundle_path(digest) == str(bundles.root / digest)


@pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "ab"])
async def test_what_is_no_digest_is_refused(bundles: Bundles, digest: str) -> None:
    with pytest.raises(InvalidArgument):
        await bundles.store.bundle_path(digest)
