"""The awaited surface of flyte.storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from tests.sdk.io.running_task import attempt

from flyte import storage
from flyte.storage.locations import local_uri


async def pieces() -> AsyncIterator[bytes]:
    for piece in (b"one", b"two"):
        yield piece


async def test_streams_go_there_and_back(tmp_path: Path) -> None:
    with attempt(local_uri(tmp_path)):
        uri = await storage.put_stream(pieces(), name="x.bin")
    assert uri.startswith(local_uri(tmp_path))
    assert await storage.exists(uri)
    assert [piece async for piece in storage.get_stream(uri, chunk_size=4)] == [b"onet", b"wo"]
    assert await storage.put_stream(b"whole", to_path=str(tmp_path / "y")) == str(tmp_path / "y")


async def test_files_and_folders_go_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x").write_text("x")
    with attempt(local_uri(tmp_path / "attempt")):
        file = await storage.put(str(tmp_path / "source" / "x"))
        folder = await storage.put(str(tmp_path / "source"), recursive=True)
    assert Path(await storage.get(file)).read_text() == "x"
    assert (Path(await storage.get(folder, tmp_path / "target", recursive=True)) / "x").read_text() == "x"
    (tmp_path / "inside").mkdir()
    assert await storage.get(file, tmp_path / "inside") == str(tmp_path / "inside" / "x")
    assert not storage.exists_sync(str(tmp_path / "missing"))
