"""What the folder store adds to the contract: files as they are, whole or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flyteplane.foundation.clock import ManualClock, SystemClock
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from flyteplane.objects import FolderObjectStore


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


async def test_an_object_is_the_file_of_its_key(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    await store.put("a/b", b"content")
    assert (tmp_path / "a" / "b").read_bytes() == b"content"
    assert store.path_of("a/b") == tmp_path / "a" / "b"
    (tmp_path / "a" / "by-hand").write_bytes(b"!")
    assert await store.get("a/by-hand") == b"!"


async def test_a_key_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    await store.put("a/b", b"content")
    for key in ("a", "a/b/c"):
        for call in (store.put(key, b""), store.put_if_absent(key, b"")):
            with pytest.raises(FailedPrecondition) as raised:
                await call
            assert raised.value.reason == "OBJECT_KEY_CONFLICT"
    assert files(tmp_path) == {"a/b"}


async def test_a_failed_put_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    await store.put("a", b"old")
    with pytest.raises((NotFound, Unavailable)):
        await store.put("a", tmp_path / "there-is-no-such-source")
    assert files(tmp_path) == {"a"}
    assert await store.get("a") == b"old"


async def test_the_rest_of_a_killed_writer_is_not_an_object_and_is_removed_after_a_day(tmp_path: Path) -> None:
    clock = ManualClock(start=SystemClock().now())
    store = FolderObjectStore(tmp_path, clock=clock)
    await store.put("a/b", b"")
    rest = tmp_path / "a" / ".tmp-xyz"
    rest.write_bytes(b"half")
    assert [info.key for info in (await store.list("")).objects] == ["a/b"]
    assert await store.remove_abandoned() == 0
    clock.advance(25 * 3600)
    assert await store.remove_abandoned() == 1
    assert files(tmp_path) == {"a/b"}
    with pytest.raises(InvalidArgument):
        store.path_of("a/.tmp-xyz")


async def test_folders_that_became_empty_are_removed(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path / "root")
    await store.put("a/b/c", b"")
    await store.put("a/d", b"")
    await store.delete("a/b/c")
    assert not (tmp_path / "root" / "a" / "b").exists()
    await store.delete("a/d")
    assert list((tmp_path / "root").iterdir()) == []


async def test_putting_beside_deleting_never_fails(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)

    async def put_and_delete(number: int) -> None:
        for _ in range(20):
            await store.put(f"shared/folder/{number}", b"x")
            await store.delete(f"shared/folder/{number}")

    await asyncio.gather(*(put_and_delete(number) for number in range(6)))
    assert files(tmp_path) == set()


async def test_readers_see_old_or_new_content_whole(tmp_path: Path) -> None:
    store = FolderObjectStore(tmp_path)
    contents = {bytes([letter]) * 200_000 for letter in b"abc"}
    await store.put("k", b"a" * 200_000)

    async def write() -> None:
        for content in list(contents) * 5:
            await store.put("k", content)

    writing = asyncio.create_task(write())
    while not writing.done():
        assert await store.get("k") in contents
    await writing


def test_a_root_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((FailedPrecondition, Unavailable)) as raised:
        FolderObjectStore(tmp_path / "file" / "objects")
    assert str(tmp_path) in raised.value.message
