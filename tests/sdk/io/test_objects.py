"""Data by address. The contract holds for paths, file:// and a remote store alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte.storage import locations, objects, remote_objects
from flyte.storage.filesystems import get_underlying_filesystem
from flyte.storage.locations import join, local_path, local_uri, name_of, split_remote
from flyte.storage.options import ABFS, S3, configure, options_for
from flyte.storage.routes import add_route, remove_route


@pytest.fixture(params=["path", "file", "remote", "fsspec"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A prefix of each kind of store. The remote ones are the stores in memory of obstore and of fsspec."""
    if request.param == "path":
        yield str(tmp_path / "a folder")
    elif request.param == "file":
        yield local_uri(tmp_path / "a folder")
    elif request.param == "fsspec":
        yield f"memory://{tmp_path.name}/data"
    else:
        remote_objects.forget_stores()
        add_route("memory://of-obstore/", remote_objects)
        yield "memory://of-obstore/data"
        remove_route("memory://of-obstore/")
        remote_objects.forget_stores()


def test_what_was_put_can_be_got(prefix: str, tmp_path: Path) -> None:
    uri = objects.put_bytes(b"abc", join(prefix, "x", "one.bin"))
    assert objects.get_bytes(uri) == b"abc"
    assert objects.size_of(uri) == 3
    copy = objects.get_file(uri, tmp_path / "down" / "copy.bin")
    assert Path(copy).read_bytes() == b"abc"
    assert objects.get_bytes(objects.put_file(copy, join(prefix, "two.bin"))) == b"abc"


def test_an_object_can_be_replaced(prefix: str) -> None:
    uri = join(prefix, "one.bin")
    objects.put_bytes(b"long content", uri)
    objects.put_bytes(b"short", uri)
    assert objects.get_bytes(uri) == b"short"


def test_what_is_not_there_is_said_to_be_missing(prefix: str, tmp_path: Path) -> None:
    missing = join(prefix, "missing")
    assert not objects.exists(missing)
    assert objects.size_of(missing) is None
    assert objects.list_objects(missing) == []
    with pytest.raises(FileNotFoundError):
        objects.get_bytes(missing)
    with pytest.raises(FileNotFoundError):
        objects.get_file(missing, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_folder_goes_there_and_back(prefix: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for name in ("a b.txt", "sub/ü%.txt"):
        (source / name).write_text(name)
    assert objects.put_folder(source, join(prefix, "tree")) == sum(len(n.encode()) for n in ("a b.txt", "sub/ü%.txt"))
    listed = objects.list_objects(join(prefix, "tree"))
    assert [objects.relative_name(found.uri, join(prefix, "tree")) for found in listed] == ["a b.txt", "sub/ü%.txt"]
    assert objects.exists(join(prefix, "tree"))
    target = objects.get_folder(join(prefix, "tree"), tmp_path / "target")
    assert (Path(target) / "sub" / "ü%.txt").read_text() == "sub/ü%.txt"


def test_a_writer_that_fails_leaves_nothing(prefix: str) -> None:
    uri = join(prefix, "half")

    def write_half() -> None:
        with objects.open_write(uri) as sink:
            sink.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert not objects.exists(uri)
    assert objects.list_objects(prefix) == []


def test_an_object_is_read_in_pieces(prefix: str) -> None:
    uri = objects.put_bytes(bytes(range(256)) * 1000, join(prefix, "big"))
    with objects.open_read(uri) as source:
        assert source.read(2) == b"\x00\x01"
        source.seek(255)
        assert source.read(2) == b"\xff\x00"
        assert len(source.read()) == 256_000 - 257


def test_nobody_sees_half_an_object(tmp_path: Path) -> None:
    target = tmp_path / "x"
    objects.put_bytes(b"old", str(target))
    with objects.open_write(str(target)) as sink:
        sink.write(b"new")
        sink.flush()
        assert target.read_bytes() == b"old"
        assert [found.uri for found in objects.list_objects(str(tmp_path))] == [str(target)]
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("/a/", "b", "/c"), "/a/b/c"),
        (("s3://b/p/", "x y"), "s3://b/p/x y"),
        (("file:///a", "x y%"), "file:///a/x%20y%25"),
        (("a",), "a"),
        (("", "a", ""), "a"),
    ],
)
def test_joining(parts: tuple[str, ...], joined: str) -> None:
    assert join(*parts) == joined


@pytest.mark.parametrize(
    ("uri", "root", "key"),
    [
        ("s3://bucket/a/b", "s3://bucket", "a/b"),
        ("s3://bucket", "s3://bucket", ""),
        ("gcs://bucket/a", "gs://bucket", "a"),
        ("abfs://container@account.dfs.core.windows.net/a/b", "abfs://container@account.dfs.core.windows.net", "a/b"),
        ("az://account/container/a/b", "az://account/container", "a/b"),
    ],
)
def test_the_root_of_a_remote_address(uri: str, root: str, key: str) -> None:
    assert split_remote(uri) == (root, key)


def test_addresses_of_this_machine() -> None:
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path(local_uri(Path("/ä %"))) == Path("/ä %")
    assert name_of("file:///x/a%20b") == "a b"
    assert (name_of("s3://b/k/x.csv"), name_of("/a/b/")) == ("x.csv", "b")
    assert locations.is_remote("s3://b")
    assert not locations.is_remote(Path("/a"))
    with pytest.raises(ValueError, match="not on this machine"):
        local_path("s3://b/x")
    with pytest.raises(ValueError, match="unknown scheme"):
        objects.get_bytes("nonsense://x/y")


def test_the_memory_of_fsspec_is_that_of_its_libraries(tmp_path: Path) -> None:
    filesystem = get_underlying_filesystem("memory")
    filesystem.pipe_file(f"memory://{tmp_path.name}/by library.bin", b"abc")
    assert objects.get_bytes(f"memory://{tmp_path.name}/by library.bin") == b"abc"
    objects.put_bytes(b"xyz", f"memory://{tmp_path.name}/deep/ours.bin")
    assert filesystem.cat_file(f"memory://{tmp_path.name}/deep/ours.bin") == b"xyz"


def test_what_is_not_there_is_named(prefix: str, tmp_path: Path) -> None:
    for ask in (objects.get_bytes, objects.open_read, lambda uri: objects.get_folder(uri, tmp_path / "x")):
        with pytest.raises(FileNotFoundError, match="nowhere") as raised:
            ask(join(prefix, "nowhere"))
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "x").exists()


def test_stores_are_reached_as_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_AWS_ENDPOINT", "http://localhost:9000")
    assert options_for("s3") == {"endpoint": "http://localhost:9000", "client_options": {"allow_http": True}}
    assert options_for("gs") == {}
    given: dict[str, Any] = {"account_name": "me", "account_key": "key"}
    assert ABFS(**given).client_options() == given
    assert S3(region="eu", addressing_style="path").client_options() == {
        "region": "eu",
        "virtual_hosted_style_request": False,
    }
    configure(S3(region="eu"))
    try:
        assert options_for("s3") == {"region": "eu"}
    finally:
        from flyte.storage import options

        options._configured.clear()
