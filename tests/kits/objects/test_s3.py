"""S3 beyond what every object store promises: signed URLs, keys in files, and what is said when it goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from tests.support.s3 import BUCKET, S3Server

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, Unavailable
from flyteplane.objects import ObjectStore, Presigner
from flyteplane.objects.s3 import S3ObjectStore
from flyteplane.objects.s3_client import FileKeys
from flyteplane.objects.s3_settings import S3Settings


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path) -> Iterator[S3ObjectStore]:
    store = S3ObjectStore(s3_server.settings(f"kit/{tmp_path.name}"))
    yield store
    store.close()


def http(url: str, *, put: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/octet-stream"}
    request = Request(url, data=put, headers=headers, method="GET" if put is None else "PUT")
    with urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


async def test_signed_urls_put_and_get_without_keys(store: S3ObjectStore) -> None:
    assert isinstance(store, Presigner)
    key = "inputs/a b/ä.txt"
    http(await store.presign_put(key, expires_in_s=60), put=b"content")
    assert await store.get(key) == b"content"
    signed = await store.presign_get(key, expires_in_s=60)
    assert http(signed) == b"content"
    assert "test-secret-key" not in signed


async def test_signed_urls_name_the_address_that_clients_reach(s3_server: S3Server, tmp_path: Path) -> None:
    store = S3ObjectStore(s3_server.settings(tmp_path.name, public_endpoint="https://objects.example:9000"))
    signed = urlsplit(await store.presign_get("k", expires_in_s=60))
    assert (signed.scheme, signed.netloc, signed.path) == (
        "https",
        "objects.example:9000",
        f"/{BUCKET}/{tmp_path.name}/k",
    )
    await store.put("k", b"by the other address")
    store.close()


async def test_everything_lies_below_the_prefix_and_other_prefixes_are_not_seen(s3_server: S3Server) -> None:
    one, two = S3ObjectStore(s3_server.settings("below/one")), S3ObjectStore(s3_server.settings("below/one-two"))
    await one.put("k", b"1")
    await two.put("k", b"2")
    assert [info.key for info in (await one.list("")).objects] == ["k"]
    assert one.root == f"s3://{BUCKET}/below/one/"
    whole = S3ObjectStore(s3_server.settings())
    assert await whole.get("below/one-two/k") == b"2"
    for store in (one, two, whole):
        store.close()


async def test_a_store_that_is_away_is_unavailable_and_named(s3_server: S3Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        store = S3ObjectStore(s3_server.settings(url="s3://things", endpoint=endpoint))
        with pytest.raises(Unavailable) as raised:
            await store.put("k", b"")
        store.close()
    assert raised.value.reason == "STORE_UNREACHABLE"
    assert f"bucket 'things' at {endpoint}" in raised.value.public_text


async def test_a_bucket_that_is_not_there_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    store = S3ObjectStore(s3_server.settings(url="s3://no-such-bucket/x"))
    to: ObjectStore = store
    for call in (store.check(), to.put("k", b""), to.get("k"), to.put_if_absent("k", b""), to.list("a/")):
        with pytest.raises(FailedPrecondition) as raised:
            await call
        assert raised.value.reason == "STORE_NO_BUCKET"
        assert "no-such-bucket" in raised.value.message
    store.close()


async def test_keys_must_be_in_files_that_can_be_read(s3_server: S3Server, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match="nowhere"):
        S3ObjectStore(s3_server.settings(access_key_file=tmp_path / "nowhere"))


async def test_keys_are_read_from_their_files_again(tmp_path: Path) -> None:
    keys = [tmp_path / "access", tmp_path / "secret"]
    for file in keys:
        file.write_text("first\n")
    provider = FileKeys(*keys)
    assert (provider()["access_key_id"], provider()["secret_access_key"]) == ("first", "first")
    for file in keys:
        file.write_text("second\n")
    assert (provider()["access_key_id"], provider()["secret_access_key"]) == ("second", "second")
    keys[1].write_text("\n")
    with pytest.raises(FailedPrecondition, match="is empty"):
        provider()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://bucket/x"}, "url"),
        ({"url": "s3://Bucket"}, "url"),
        ({"url": "s3://bucket/a/../b"}, "url"),
        ({"endpoint": "minio:9000"}, "endpoint"),
        ({"endpoint": "https://user:password@minio"}, "endpoint"),
        ({"endpoint": "http://minio:9000"}, "endpoint"),
        ({"public_endpoint": "http://minio:9000"}, "public_endpoint"),
        ({"access_key_file": Path("a")}, "secret_key_file"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, object], field: str) -> None:
    given: dict[str, object] = {"url": "s3://bucket/prefix", **changes}
    with pytest.raises(InvalidArgument) as raised:
        S3Settings(**given)  # type: ignore[arg-type]  # wrong on purpose
    assert raised.value.field == field
