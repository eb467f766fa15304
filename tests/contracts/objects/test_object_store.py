"""What every object store promises."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.object_stores import every_store

from flyteplane.foundation.errors import InvalidArgument, NotFound
from flyteplane.objects import MemoryObjectStore, ObjectStore

__all__ = ["every_store"]


@pytest.fixture
def store(every_store: ObjectStore) -> ObjectStore:
    return every_store


async def test_what_was_put_is_got(store: ObjectStore) -> None:
    info = await store.put("bundles/ab/c.tar.gz", b"content")
    assert (info.key, info.size_bytes) == ("bundles/ab/c.tar.gz", 7)
    assert await store.get("bundles/ab/c.tar.gz") == b"content"
    head = await store.head("bundles/ab/c.tar.gz")
    assert head == info


async def test_a_file_is_put_and_downloaded(store: ObjectStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 3_000_000)
    await store.put("large", source)
    target.write_bytes(b"before")
    info = await store.download("large", target)
    assert info.size_bytes == 3_000_000
    assert target.read_bytes() == source.read_bytes()


async def test_putting_again_replaces(store: ObjectStore) -> None:
    await store.put("k", b"a long first content")
    await store.put("k", b"short")
    assert await store.get("k") == b"short"


async def test_empty_content_is_content(store: ObjectStore) -> None:
    await store.put("k", b"")
    assert await store.get("k") == b""
    assert await store.head("k") is not None


async def test_put_if_absent_writes_once(store: ObjectStore) -> None:
    assert await store.put_if_absent("a/k", b"first")
    assert not await store.put_if_absent("a/k", b"second")
    assert await store.get("a/k") == b"first"


async def test_of_many_at_once_exactly_one_writes(store: ObjectStore) -> None:
    written = await asyncio.gather(*(store.put_if_absent("a/b/k", str(n).encode()) for n in range(16)))
    assert written.count(True) == 1
    assert await store.get("a/b/k") == str(written.index(True)).encode()


async def test_putting_and_deleting_the_same_object_at_once_never_fails(store: ObjectStore) -> None:
    async def put_and_delete(number: int) -> None:
        for _ in range(4):
            assert (await store.put("a/k", b"x" * number)).size_bytes in range(1, 5)
            await store.delete("a/k")

    await asyncio.gather(*(put_and_delete(number) for number in range(1, 5)))
    assert await store.head("a/k") is None


async def test_a_large_file_is_put_if_absent_once(store: ObjectStore, tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_bytes(file.name.encode() * 9_000_000)
    written = await asyncio.gather(*(store.put_if_absent("large", file) for file in files))
    assert written.count(True) == 1
    assert await store.get("large") == files[written.index(True)].read_bytes()
    assert [info.key for info in (await store.list("")).objects] == ["large"]


async def test_ranges(store: ObjectStore) -> None:
    await store.put("k", b"0123456789")
    assert await store.get_range("k", offset=2, length=3) == b"234"
    assert await store.get_range("k", offset=8, length=10) == b"89"
    assert await store.get_range("k", offset=20, length=1) == b""
    assert await store.get_range("k", offset=0, length=0) == b""
    with pytest.raises(InvalidArgument):
        await store.get_range("k", offset=-1, length=1)


async def test_what_is_not_there(store: ObjectStore, tmp_path: Path) -> None:
    await store.put("a/b", b"")
    for key in ("k", "a", "a/b/c"):
        with pytest.raises(NotFound) as raised:
            await store.get(key)
        assert raised.value.reason == "OBJECT_NOT_FOUND"
        with pytest.raises(NotFound):
            await store.get_range(key, offset=0, length=1)
        with pytest.raises(NotFound):
            await store.download(key, tmp_path / "to")
        assert await store.head(key) is None
        await store.delete(key)
    assert await store.get("a/b") == b""
    assert not (tmp_path / "to").exists()


async def test_deleting(store: ObjectStore) -> None:
    await store.put("a/b/c", b"")
    await store.put("a/d", b"")
    await store.delete("a/b/c")
    assert await store.head("a/b/c") is None
    assert await store.head("a/d") is not None
    await store.put("a/b", b"now an object")
    assert await store.get("a/b") == b"now an object"


async def test_listing_in_pages(store: ObjectStore) -> None:
    keys = [f"p/{number:02}/x" for number in range(7)]
    for key in [*keys, "p", "q/1"] if isinstance(store, MemoryObjectStore) else [*keys, "q/1"]:
        await store.put(key, key.encode())
    listed: list[str] = []
    after = ""
    while True:
        page = await store.list("p/", after=after, limit=3)
        listed += [info.key for info in page.objects]
        assert all(info.size_bytes == len(info.key) for info in page.objects)
        if not page.next_after:
            break
        after = page.next_after
    assert listed == keys


async def test_a_prefix_may_end_inside_a_name(store: ObjectStore) -> None:
    for key in ("run-1/a", "run-10/a", "run-2/a"):
        await store.put(key, b"")
    assert [info.key for info in (await store.list("run-1")).objects] == ["run-1/a", "run-10/a"]
    assert (await store.list("nothing/here")).objects == []
    assert len((await store.list("")).objects) == 3


async def test_keys_are_listed_in_order_of_the_whole_key(store: ObjectStore) -> None:
    keys = ["a-b", "a/b", "a/c/d", "ab"]
    for key in reversed(keys):
        await store.put(key, b"")
    assert [info.key for info in (await store.list("a")).objects] == keys


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\\b", "a\0b", "a\nb", "x" * 1025, "x" * 201]
)
async def test_improper_keys_are_refused(store: ObjectStore, key: str) -> None:
    for call in (
        store.put(key, b""),
        store.put_if_absent(key, b""),
        store.get(key),
        store.head(key),
        store.delete(key),
    ):
        with pytest.raises(InvalidArgument) as raised:
            await call
        assert (raised.value.reason, raised.value.field) == ("OBJECT_KEY", "key")


@pytest.mark.parametrize("prefix", ["../", "/", "a/../"])
async def test_improper_prefixes_are_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(InvalidArgument):
        await store.list(prefix)


async def test_unusual_but_proper_keys_work(store: ObjectStore) -> None:
    for key in ("a b", "ä/ö", "..a", "a..", ".hidden", "%2e%2e/x", "a:b*?<>|"):
        await store.put(key, key.encode())
        assert await store.get(key) == key.encode()
