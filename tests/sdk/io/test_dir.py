"""Folders: the same as files, many at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.sdk.io.running_task import attempt

from flyte.io import Dir
from flyte.storage.locations import local_path, local_uri
from flyte.types.codecs import codec_for


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for name in ("a.txt", "b.csv", "sub/c.txt", "sub/deep/d.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


@pytest.fixture
def stored(source: Path, tmp_path: Path) -> Dir[Any]:
    with attempt(local_uri(tmp_path / "attempt") + "/"):
        return Dir.from_local_sync(source, dir_cache_key="key")


def test_inside_of_a_task_a_folder_is_copied_below_the_attempt(stored: Dir[Any], tmp_path: Path) -> None:
    assert stored.path.startswith(local_uri(tmp_path / "attempt"))
    assert (stored.name, stored.hash, stored.exists_sync()) == ("source", "key", True)
    assert (local_path(stored.path) / "sub" / "deep" / "d.txt").read_text() == "sub/deep/d.txt"
    assert codec_for(Dir).encode(stored, name="x").reference.size_bytes == len("a.txtb.csvsub/c.txtsub/deep/d.txt")


async def test_walking_says_what_is_below(stored: Dir[Any]) -> None:
    def names(files: list[Any]) -> list[str]:
        return [file.name for file in files]

    assert names([file async for file in stored.walk()]) == ["a.txt", "b.csv", "c.txt", "d.txt"]
    assert names([file async for file in stored.walk(max_depth=2)]) == ["a.txt", "b.csv", "c.txt"]
    assert names(await stored.list_files()) == ["a.txt", "b.csv"]
    assert names(list(stored.walk_sync(file_pattern="*.csv"))) == ["b.csv"]


async def test_one_file_of_a_folder(stored: Dir[Any]) -> None:
    file = await stored.get_file("sub/c.txt")
    assert file is not None
    with file.open_sync("r") as stream:
        assert stream.read() == "sub/c.txt"
    assert await stored.get_file("missing") is None


async def test_a_stored_folder_is_downloaded_as_a_copy(stored: Dir[Any], tmp_path: Path) -> None:
    copy = Path(await stored.download(tmp_path / "copy"))
    (copy / "a.txt").write_text("changed")
    assert (local_path(stored.path) / "a.txt").read_text() == "a.txt"
    assert sorted(path.name for path in Path(await stored.download()).rglob("*.txt")) == ["a.txt", "c.txt", "d.txt"]


def test_outside_of_a_task_a_folder_stays_where_it_is(source: Path) -> None:
    folder: Dir[Any] = Dir.from_local_sync(source)
    assert (folder.path, folder.download_sync()) == (str(source), str(source))


def test_missing_folders(tmp_path: Path) -> None:
    missing: Dir[Any] = Dir.from_existing_remote(local_uri(tmp_path / "missing"))
    assert not missing.exists_sync()
    assert missing.list_files_sync() == []
    with pytest.raises(FileNotFoundError, match="There is nothing below"):
        missing.download_sync()
    with pytest.raises(FileNotFoundError, match="There is nothing below"):
        Dir[Any](path=str(tmp_path / "missing")).download_sync()
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Dir.from_local_sync(tmp_path / "missing")


def test_an_empty_dir_stands_for_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").touch()
    monkeypatch.chdir(tmp_path)
    empty: Dir[Any] = Dir.empty()
    assert empty.get_file_sync("x") is None
    assert not any(Path(empty.download_sync(tmp_path / "downloaded")).iterdir())
    assert (empty.is_empty, empty.exists_sync(), empty.list_files_sync()) == (True, False, [])
    assert not Dir[Any](path="/x").is_empty
    codec = codec_for(Dir)
    assert codec.decode(codec.encode(empty, name="x")).is_empty


def test_a_new_folder_can_be_filled(tmp_path: Path) -> None:
    with attempt(local_uri(tmp_path)):
        folder: Dir[Any] = Dir.new_remote("plots")
    local_path(folder.path).mkdir(parents=True)
    (local_path(folder.path) / "x").write_text("x")
    assert [file.name for file in folder.list_files_sync()] == ["x"]


def test_the_hash_of_a_folder_is_that_of_its_names_and_contents(tmp_path: Path) -> None:
    def made(name: str, **files: str) -> str | None:
        folder = tmp_path / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return Dir.from_local_sync(folder).hash

    one = made("one", **{"a.txt": "1", "b/c.txt": "2"})
    assert one == made("two", **{"b/c.txt": "2", "a.txt": "1"})
    others = {made("three", **{"a.txt": "2", "b/c.txt": "1"}), made("four", **{"a.txt": "1", "c.txt": "2"})}
    assert len(others | {one}) == 3
    assert Dir.from_local_sync(tmp_path / "one", dir_cache_key="mine").hash == "mine"


def test_an_object_whose_name_leads_elsewhere_is_copied_nowhere(tmp_path: Path) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe_file("memory://bucket/folder/good.txt", b"good")
    # A store takes any name; that of its own library would tidy this one up.
    good = memory.store["/bucket/folder/good.txt"]
    memory.store["/bucket/folder/../../evil.txt"] = good
    try:
        with pytest.raises(ValueError, match="leads out"):
            Dir[Any](path="memory://bucket/folder").download_sync(tmp_path / "a" / "copy")
        assert list(tmp_path.rglob("*.txt")) == []
    finally:
        memory.store.clear()
