"""Workers' data over a real gRPC server: each attempt gets at its own, and at nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from flyteapi.scheduler.v1 import worker_data_service_pb2 as api
from flyteapi.scheduler.v1.worker_data_service_pb2_grpc import (
    WorkerDataServiceStub,
    add_WorkerDataServiceServicer_to_server,
)
from flyteplane.foundation.clock import ManualClock
from flyteplane.objects import FolderObjectStore, MemoryObjectStore, ObjectStore
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.tokens import Claims, TokenMinter, TokenVerifier
from flyteplane.scheduler.application.worker_data import WorkerData
from flyteplane.scheduler.servicer.worker_data_service import WorkerDataServicer

PREFIX = "s3://bucket/flyte/data/"
OWN = f"{PREFIX}demo/development/run1/a0/1/"
KEY = bytes(range(32))
TOKEN_S = 100.0
MIB = 1 << 20


class Platform:
    """A server with one object store."""

    def __init__(self, objects: ObjectStore, *, prefix: str = PREFIX, most_bytes: int = 16 * MIB) -> None:
        self.clock = ManualClock()
        self.objects = objects
        self.living: set[int] = set()
        self.minter = TokenMinter(KEY, clock=self.clock)
        data = WorkerData(
            objects,
            verifier=TokenVerifier(KEY, clock=self.clock),
            data_prefix=prefix,
            still_to_begin=self._still_to_begin,
            most_bytes=most_bytes,
        )
        self.server = RpcServer("127.0.0.1:0", reflection=False)
        add_WorkerDataServiceServicer_to_server(WorkerDataServicer(data), self.server.grpc_server)

    def _still_to_begin(self, claims: Claims) -> bool:
        return claims.lease in self.living

    def token(self, *, minter: TokenMinter | None = None, **claims: Any) -> str:
        """The token of an attempt."""
        names = {"project": "demo", "domain": "development", "run": "run1", "action": "a0", "attempt": 1, "lease": 7}
        return (minter or self.minter).attempt_token(**{**names, **claims}, ttl_s=TOKEN_S)


class Caller:
    """A worker's calls."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._stub: Any = WorkerDataServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def write(self, uri: str, pieces: Iterable[bytes], *, last: bool = True) -> int:
        async def requests() -> AsyncIterator[api.WriteObjectRequest]:
            yield api.WriteObjectRequest(uri=uri)
            for piece in pieces:
                yield api.WriteObjectRequest(data=piece)
            if last:
                yield api.WriteObjectRequest(last=True)

        return int((await self._stub.WriteObject(requests(), metadata=self._metadata)).size_bytes)

    async def refusal_of_write(self, uri: str | None, pieces: Iterable[bytes] = ()) -> grpc.StatusCode:
        """What a write is refused with; None for the address: before anything was said.

        Nothing more is sent meanwhile, as gRPC calls a refusal that comes while it sends INTERNAL.
        """
        refused = asyncio.Event()

        async def requests() -> AsyncIterator[api.WriteObjectRequest]:
            if uri is not None:
                yield api.WriteObjectRequest(uri=uri)
            for piece in pieces:
                yield api.WriteObjectRequest(data=piece)
            await refused.wait()

        try:
            return await status_of(self._stub.WriteObject(requests(), metadata=self._metadata))
        finally:
            refused.set()

    async def read(self, uri: str, *, offset: int = 0, length: int = 0) -> bytes:
        request = api.ReadObjectRequest(uri=uri, offset=offset, length=length)
        pieces = [response.data async for response in self._stub.ReadObject(request, metadata=self._metadata)]
        assert all(len(piece) <= MIB for piece in pieces)
        return b"".join(pieces)

    async def bundle(self, digest: str) -> bytes:
        calls = self._stub.FetchBundle(api.FetchBundleRequest(digest=digest), metadata=self._metadata)
        return b"".join([response.data async for response in calls])

    async def list(self, prefix: str) -> list[tuple[str, int]]:
        calls = self._stub.ListObjects(api.ListObjectsRequest(prefix=prefix), metadata=self._metadata)
        return [(entry.uri, entry.size_bytes) async for response in calls for entry in response.entries]


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform(MemoryObjectStore(clock=ManualClock()))
    await platform.server.start()
    yield platform
    await platform.server.stop(0)


@pytest_asyncio.fixture
async def channel(platform: Platform) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(platform.server.address) as channel:
        yield channel


@pytest.fixture
def worker(platform: Platform, channel: grpc.aio.Channel) -> Caller:
    return Caller(channel, platform.token())


async def status_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code()


async def test_what_an_attempt_writes_it_can_read_and_list(platform: Platform, worker: Caller) -> None:
    content = bytes(range(256)) * 12_000
    assert await worker.write(f"{OWN}x/out.bin", [content[:MIB], content[MIB:]]) == len(content)
    assert await worker.read(f"{OWN}x/out.bin") == content
    assert await worker.read(f"{OWN}x/out.bin", offset=MIB - 3, length=7) == content[MIB - 3 : MIB + 4]
    assert await worker.read(f"{OWN}x/out.bin", offset=len(content)) == b""
    assert await worker.list(OWN) == [(f"{OWN}x/out.bin", len(content))]
    assert await worker.list(f"{OWN}x/out.bin") == [(f"{OWN}x/out.bin", len(content))]
    assert await worker.list(f"{OWN}x/out") == []
    assert await platform.objects.get("data/demo/development/run1/a0/1/x/out.bin") == content


async def test_a_write_that_is_cut_leaves_nothing(platform: Platform, worker: Caller) -> None:
    call = worker.write(f"{OWN}out", [b"half"], last=False)
    assert await status_of(call) is grpc.StatusCode.INVALID_ARGUMENT
    assert await status_of(worker.read(f"{OWN}out")) is grpc.StatusCode.NOT_FOUND


async def test_a_write_replaces_what_was_there(worker: Caller) -> None:
    await worker.write(f"{OWN}out", [b"longer than the next"])
    await worker.write(f"{OWN}out", [b"short"])
    assert await worker.read(f"{OWN}out") == b"short"


async def test_an_object_that_is_too_long_is_refused(worker: Caller) -> None:
    assert await worker.refusal_of_write(f"{OWN}out", [bytes(MIB)] * 17) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_long_list_comes_whole(platform: Platform, worker: Caller) -> None:
    for number in range(2345):
        await platform.objects.put(f"data/demo/development/run1/a0/1/{number:05}", b"")
    found = await worker.list(OWN)
    assert found == [(f"{OWN}{number:05}", 0) for number in range(2345)]


async def test_data_of_the_project_can_be_read(platform: Platform, worker: Caller) -> None:
    await platform.objects.put("data/demo/development/other-run/a3/2/outputs", b"value")
    await platform.objects.put("inputs/demo/development/abc/file.csv", b"input")
    assert await worker.read(f"{PREFIX}demo/development/other-run/a3/2/outputs") == b"value"
    assert await worker.read("s3://bucket/flyte/inputs/demo/development/abc/file.csv") == b"input"
    assert await worker.read("flyte-object://inputs/demo/development/abc/file.csv") == b"input"


@pytest.mark.parametrize(
    "uri",
    [
        f"{PREFIX}demo/production/run1/a0/1/outputs",
        f"{PREFIX}other/development/run1/a0/1/outputs",
        f"{PREFIX}demo/development",
        f"{PREFIX}demo/developments/run1/a0/1/outputs",
        f"{PREFIX}demo/development/../production/outputs",
        f"{PREFIX}demo/development/run1/../../../../bundles/x",
        f"{PREFIX}demo/development//outputs",
        "s3://bucket/flyte/bundles/" + "0" * 64 + ".tar.gz",
        "s3://bucket/flyte/inputs/demo/production/abc/file",
        "s3://bucket/flyte/logs/demo/development/run1",
        "s3://other-bucket/flyte/data/demo/development/run1/a0/1/outputs",
        "flyte-object://bundles/x",
        "file:///etc/passwd",
        "/etc/passwd",
        "",
    ],
)
async def test_nothing_else_can_be_read_or_listed(worker: Caller, uri: str) -> None:
    assert await status_of(worker.read(uri)) is grpc.StatusCode.PERMISSION_DENIED
    assert await status_of(worker.list(uri)) is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    "uri",
    [
        f"{PREFIX}demo/development/run1/a0/2/outputs",
        f"{PREFIX}demo/development/run1/a0/10/outputs",
        f"{PREFIX}demo/development/run1/a1/1/outputs",
        f"{PREFIX}demo/development/run2/a0/1/outputs",
        f"{PREFIX}demo/development/run1/a0/1/../2/outputs",
        f"{PREFIX}demo/development/run1/a0/1/",
        f"{PREFIX}demo/development/run2/named/x/f",
        "s3://bucket/flyte/inputs/demo/development/abc/file",
        "flyte-object://bundles/x.tar.gz",
        "file:///etc/passwd",
    ],
)
async def test_nothing_but_below_the_own_attempt_can_be_written(platform: Platform, worker: Caller, uri: str) -> None:
    assert await worker.refusal_of_write(uri) is grpc.StatusCode.PERMISSION_DENIED
    assert not (await platform.objects.list("")).objects


async def test_files_with_a_fixed_name_belong_to_the_run(worker: Caller) -> None:
    uri = f"{PREFIX}demo/development/run1/named/0123/model.bin"
    assert await worker.write(uri, [b"weights"]) == 7


async def test_a_bundle_is_given_to_whoever_knows_its_digest(platform: Platform, worker: Caller) -> None:
    content = b"packed" * 300_000
    digest = hashlib.sha256(content).hexdigest()
    await platform.objects.put(f"bundles/{digest}.tar.gz", content)
    assert await worker.bundle(digest) == content
    for unknown in ("f" * 64, "", "../data/x", digest.upper()):
        assert await status_of(worker.bundle(unknown)) is grpc.StatusCode.NOT_FOUND


async def test_calls_without_a_proper_token_are_refused(platform: Platform, channel: grpc.aio.Channel) -> None:
    forged = TokenMinter(bytes(32), clock=platform.clock)
    replica = platform.minter.replica_token(project="demo", domain="development", pool="p", replica="r")
    for token in ("", "nonsense", platform.token(minter=forged), platform.token()[:-2], replica):
        caller = Caller(channel, token)
        assert await status_of(caller.read(f"{OWN}x")) is grpc.StatusCode.UNAUTHENTICATED
        assert await caller.refusal_of_write(None) is grpc.StatusCode.UNAUTHENTICATED
        assert await status_of(caller.list(OWN)) is grpc.StatusCode.UNAUTHENTICATED
        assert await status_of(caller.bundle("f" * 64)) is grpc.StatusCode.UNAUTHENTICATED


async def test_an_old_token_holds_only_while_its_attempt_runs(platform: Platform, worker: Caller) -> None:
    platform.clock.advance(TOKEN_S + 1)
    assert await worker.refusal_of_write(None) is grpc.StatusCode.UNAUTHENTICATED
    platform.living.add(7)
    assert await worker.write(f"{OWN}out", [b"in time"]) == 7
    platform.living.clear()
    assert await status_of(worker.read(f"{OWN}out")) is grpc.StatusCode.UNAUTHENTICATED


async def test_names_in_file_addresses_may_have_any_letters(tmp_path: Path) -> None:
    prefix = f"file://{tmp_path}/objects/data/"
    platform = Platform(FolderObjectStore(tmp_path / "objects"), prefix=prefix)
    (tmp_path / "secret").write_bytes(b"not yours")
    await platform.server.start()
    try:
        async with grpc.aio.insecure_channel(platform.server.address) as channel:
            worker, own = Caller(channel, platform.token()), f"{prefix}demo/development/run1/a0/1/"
            uri = f"{own}a%20name%20with%20%25.txt"
            await worker.write(uri, [b"text"])
            assert await worker.list(own) == [(uri, 4)]
            assert await worker.read(uri) == b"text"
            for hidden in (
                "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret",
                "..%2f2%2foutputs",
                "%2e%2e/2/out",
                "a%00b",
            ):
                assert await status_of(worker.read(f"{own}{hidden}")) is grpc.StatusCode.PERMISSION_DENIED
                assert await worker.refusal_of_write(f"{own}{hidden}") is grpc.StatusCode.PERMISSION_DENIED
    finally:
        await platform.server.stop(0)
