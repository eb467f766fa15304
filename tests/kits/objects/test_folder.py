"""What the folder store adds to the contract: files as they are, whole or not at all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Self

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


class SystemCalls:
    """Does something right before the call number `before` of the operating system below a folder.

    Nothing of ours is replaced for it: the interpreter announces what it is about to do with files.
    """

    _present: SystemCalls | None = None
    _listens = False

    def __init__(self, folder: Path, event: Callable[[], object], *, before: int) -> None:
        self._folder = str(folder)
        self._event = event
        self._left = before

    def __enter__(self) -> Self:
        if not SystemCalls._listens:
            sys.addaudithook(SystemCalls._heard)
            SystemCalls._listens = True
        SystemCalls._present = self
        return self

    def __exit__(self, *_: object) -> None:
        SystemCalls._present = None

    @property
    def happened(self) -> bool:
        return self._left <= 0

    @staticmethod
    def _heard(name: str, given: tuple[object, ...]) -> None:
        present = SystemCalls._present
        if present is None or not given or not str(given[0]).startswith(present._folder):
            return
        present._left -= 1
        if present._left == 0:
            SystemCalls._present = None
            present._event()


def overtaken(folder: Path, event: Callable[[], object], work: Callable[[], Awaitable[object]]) -> list[object]:
    """What comes of `work` when the event takes place before its first call of the system, its second, and so on."""
    outcomes: list[object] = []
    for before in count(1):
        with SystemCalls(folder, event, before=before) as calls:
            try:
                outcomes.append(asyncio.run(work()))  # type: ignore[arg-type]  # a coroutine in each case
            except Exception as error:
                outcomes.append(error)
        if not calls.happened:
            return outcomes[:-1]
    raise AssertionError("it never ends")


def remove(file: Path, *, root: Path) -> None:
    """What a `delete` does, without a thread of its own."""
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == root or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def test_a_put_that_a_delete_overtakes_at_any_point_has_happened(tmp_path: Path) -> None:
    store, file = FolderObjectStore(tmp_path), tmp_path / "folder" / "k"
    outcomes = overtaken(tmp_path, lambda: remove(file, root=tmp_path), lambda: store.put("folder/k", b"content"))
    assert len(outcomes) >= 4
    assert [getattr(outcome, "size_bytes", outcome) for outcome in outcomes] == [7] * len(outcomes)
    file.unlink()
    outcomes = overtaken(
        tmp_path, lambda: remove(file, root=tmp_path), lambda: store.put_if_absent("folder/k", b"content")
    )
    assert {outcome for outcome in outcomes if outcome is not True} <= {False}


def test_a_download_that_a_delete_overtakes_gives_the_whole_content_or_says_that_there_is_none(tmp_path: Path) -> None:
    store, file, to = FolderObjectStore(tmp_path / "root"), tmp_path / "root" / "k", tmp_path / "to"

    async def download() -> object:
        file.write_bytes(b"content")
        return await store.download("k", to)

    outcomes = overtaken(tmp_path, lambda: file.unlink(missing_ok=True), download)
    assert len(outcomes) >= 2
    for outcome in outcomes:
        assert isinstance(outcome, NotFound) or getattr(outcome, "size_bytes", outcome) == 7, outcome
    assert to.read_bytes() == b"content"


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
