"""Which object store a platform opens, what it does while that is away, and how local workers reach it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.s3 import S3Server

from flyte.runner.relayed_objects import RelayedObjects
from flyteplane.foundation.clock import ManualClock, SystemClock
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, Unavailable
from flyteplane.foundation.ids import SystemIds
from flyteplane.launcher.folder import PlatformFolder
from flyteplane.launcher.local_data import serve_objects
from flyteplane.launcher.objects import OpenObjects, open_objects, wait_until_there
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.objects import MemoryObjectStore
from flyteplane.objects.port import Content, ObjectInfo
from flyteplane.objects.s3_settings import S3Settings

ROOT = "s3://bucket/prefix/"
START_WITHIN_S = 30.0


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "flyteplane.yaml"
        path.write_text(text)
        return path

    return write


# --- the operator's file ---------------------------------------------------------------------------------------------


def test_the_section_is_read_with_paths_beside_the_file(write: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("access", "secret"):
        (tmp_path / name).write_text("key")
    path = write(
        "objects: {url: s3://bucket/prefix, endpoint: 'http://minio:9000', public_endpoint: 'https://objects.example',"
        " region: eu-1, access_key_file: access, secret_key_file: secret, allow_http: true}"
    )
    assert OperatorFile.read(path).objects == S3Settings(
        url="s3://bucket/prefix",
        endpoint="http://minio:9000",
        public_endpoint="https://objects.example",
        region="eu-1",
        access_key_file=tmp_path / "access",
        secret_key_file=tmp_path / "secret",
        allow_http=True,
    )
    assert OperatorFile.read(write("objects: {url: s3://bucket}")).objects == S3Settings(url="s3://bucket")
    assert OperatorFile.read(write("queues: []")).objects is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", ["objects.url", "missing"]),
        ("{url: gs://bucket}", ["objects.url", "s3://bucket/prefix"]),
        ("{url: s3://bucket, endpoint: 'http://minio:9000'}", ["objects.endpoint", "not encrypted", "allow_http"]),
        ("{url: s3://bucket, access_key: AKIA}", ["objects.access_key", "not known", "access_key_file"]),
        ("{url: s3://bucket, access_key_file: nowhere}", ["objects.access_key_file", "nowhere cannot be read"]),
        ("{url: s3://bucket, allow_http: 'yes'}", ["objects.allow_http"]),
    ],
)
def test_a_wrong_section_is_told_with_its_place(write: Callable[[str], Path], text: str, words: list[str]) -> None:
    with pytest.raises(InvalidArgument) as raised:
        OperatorFile.read(write(f"objects: {text}"))
    for word in words:
        assert word in raised.value.public_text


# --- opening ---------------------------------------------------------------------------------------------------------


class Coming:
    """A store that is there from the third time on that somebody asks."""

    name = "bucket 'b' at nowhere"

    def __init__(self) -> None:
        self.asked = 0

    async def check(self) -> None:
        self.asked += 1
        if self.asked < 3:
            raise Unavailable("away")


async def test_a_store_that_is_away_is_asked_with_growing_pauses() -> None:
    clock, store = ManualClock(), Coming()
    waiting = asyncio.ensure_future(wait_until_there(store, clock=clock))
    pauses: list[float] = []
    for _ in range(2):
        await asyncio.sleep(0)
        began, asked = clock.monotonic(), store.asked
        while store.asked == asked:
            clock.advance(0.125)
            await asyncio.sleep(0)
        pauses.append(clock.monotonic() - began)
    await waiting
    assert store.asked == 3
    assert pauses[0] < pauses[1] <= 1.25


async def test_a_bucket_that_is_not_there_is_no_reason_to_wait(s3_server: S3Server, tmp_path: Path) -> None:
    folder = PlatformFolder.open(tmp_path / "platform")
    async with AsyncExitStack() as stack:
        with pytest.raises(FailedPrecondition, match="no-such-bucket"):
            await open_objects(
                folder,
                s3_server.settings(url="s3://no-such-bucket"),
                clock=SystemClock(),
                ids=SystemIds(),
                stack=stack,
            )
    folder.close()


def test_a_platform_whose_store_is_away_says_so_and_stops_when_it_is_told(tmp_path: Path) -> None:
    away = S3Server(tmp_path)
    away.start()
    config = tmp_path / "flyteplane.yaml"
    config.write_text(away.operator_section())
    away.stop()
    data = tmp_path / "platform"
    command = [sys.executable, "-m", "flyteplane.launcher", "--data", str(data), "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = _await_line(data / "platform.log", "waiting_for_object_store")
            assert line["store"] == f"bucket 'flyteplane' at {away.endpoint}"
            assert "cannot be reached" in line["problem"]
            assert not (data / "platform.json").exists()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def _await_line(log: Path, event: str) -> dict[str, str]:
    """The first line of an event, once it is there."""
    deadline = time.monotonic() + START_WITHIN_S
    while not (lines := _lines(log, event)):
        assert time.monotonic() < deadline, f"the log never says {event}"
        time.sleep(0.05)
    return lines[0]


def _lines(log: Path, event: str) -> list[dict[str, str]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in map(json.loads, lines) if line.get("event") == event]


# --- local workers ---------------------------------------------------------------------------------------------------


class Broken(MemoryObjectStore):
    """A store that goes away."""

    away = False

    async def put(self, key: str, content: Content) -> ObjectInfo:
        if self.away:
            raise Unavailable("the store is away")
        return await super().put(key, content)


@pytest.fixture
def store() -> Broken:
    return Broken(clock=SystemClock())


@pytest.fixture
async def worker(store: Broken, tmp_path: Path) -> AsyncIterator[RelayedObjects]:
    """What a worker holds of the store."""
    async with AsyncExitStack() as stack:
        objects = OpenObjects(store=store, root=ROOT, shared_by_folder=False)
        path = await serve_objects(objects, tmp_path, stack=stack)
        yield RelayedObjects(str(path), lease_for=lambda _: 1, patience_s=0.0)


async def test_a_local_worker_writes_reads_and_lists_data(worker: RelayedObjects, store: Broken) -> None:
    content = bytes(range(256)) * 20_000
    uri = f"{ROOT}data/p/d/r/a0/1/x/a b"
    await asyncio.to_thread(worker.put_bytes, content, uri)
    assert await store.get("data/p/d/r/a0/1/x/a b") == content
    assert await asyncio.to_thread(worker.get_bytes, uri) == content
    assert await asyncio.to_thread(worker.read_range, uri, offset=10, length=3) == content[10:13]
    assert await asyncio.to_thread(worker.size_of, uri) == len(content)
    listed = await asyncio.to_thread(lambda: list(worker.list_sizes(f"{ROOT}data/p/d/r/a0/1/")))
    assert listed == [(uri, len(content))]


async def test_a_local_worker_reaches_nothing_else_of_the_store(worker: RelayedObjects, store: Broken) -> None:
    await store.put("logs/p/d/r/a0/1/0000000000", b"")
    for uri in (
        f"{ROOT}logs/p/d/r/a0/1/0000000000",
        f"{ROOT}data/../logs/x",
        "s3://bucket/other/x",
        f"{ROOT}bundles/x",
    ):
        with pytest.raises(PermissionError):
            await asyncio.to_thread(worker.get_bytes, uri)
        with pytest.raises(PermissionError):
            await asyncio.to_thread(worker.put_bytes, b"", uri)
    await store.put("inputs/p/d/x", b"given")
    assert await asyncio.to_thread(worker.get_bytes, f"{ROOT}inputs/p/d/x") == b"given"
    with pytest.raises(PermissionError):
        await asyncio.to_thread(worker.put_bytes, b"", f"{ROOT}inputs/p/d/x")


async def test_a_local_worker_learns_what_is_not_there_and_what_is_away(worker: RelayedObjects, store: Broken) -> None:
    with pytest.raises(FileNotFoundError):
        await asyncio.to_thread(worker.get_bytes, f"{ROOT}data/p/d/none")
    store.away = True
    with pytest.raises(OSError, match="away"):
        await asyncio.to_thread(worker.put_bytes, b"x", f"{ROOT}data/p/d/x")
