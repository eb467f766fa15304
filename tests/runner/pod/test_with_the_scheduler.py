"""The agent against the scheduler's own servicers: streams, rights and data fit together."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.runner.pod.conftest import HEAD, StartPod
from tests.runner.pod.test_first_words import ask
from tests.scheduler.harness import task
from tests.scheduler.placements import KEY
from tests.scheduler.test_pods_over_leaders import Pods

from flyteapi.scheduler.v1.worker_data_service_pb2 import FetchBundleRequest
from flyteapi.scheduler.v1.worker_data_service_pb2_grpc import (
    WorkerDataServiceStub,
    add_WorkerDataServiceServicer_to_server,
)
from flyteapi.scheduler.v1.worker_service_pb2_grpc import add_WorkerServiceServicer_to_server
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.objects import MemoryObjectStore, ObjectInfo
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.tokens import attempt_token_mint
from flyteplane.scheduler.application.worker_data import WorkerData
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.servicer.worker_data_service import WorkerDataServicer
from flyteplane.scheduler.servicer.worker_service import WorkerServicer

SOURCE = (
    "from flyte import storage\n@env.task\nasync def f() -> str:\n"
    "    uri = flyte.ctx().raw_data_path.path + 'own file'.replace(' ', '%20')\n"
    "    storage.put_bytes(b'kept', uri)\n"
    "    try:\n        storage.put_bytes(b'x', uri.replace('/a0/', '/a1/'))\n"
    "    except PermissionError:\n        return storage.get_bytes(uri).decode()\n"
)


class Store(MemoryObjectStore):
    """A store that may be away."""

    away = False

    async def head(self, key: str) -> ObjectInfo | None:
        if self.away:
            raise Unavailable("the object store does not answer")
        return await super().head(key)


class Platform(Pods):
    """A scheduler with listeners and an object store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.objects = Store(clock=SystemClock())
        self.server = RpcServer("127.0.0.1:0", reflection=False)

    async def start(self) -> None:
        """Listens."""
        await self.stage.start()
        data = WorkerData(
            self.objects,
            verifier=self.verifier,
            data_prefix="file:///data/",
            still_to_begin=self.fresh.still_to_begin,
            told=self.fresh.waits,
        )
        add_WorkerServiceServicer_to_server(WorkerServicer(self.sessions), self.server.grpc_server)
        add_WorkerDataServiceServicer_to_server(WorkerDataServicer(data), self.server.grpc_server)
        await self.server.start()

    async def add_bundle(self, source: str) -> str:
        """Stores a bundle of one module."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            content = (HEAD + source).encode()
            member = tarfile.TarInfo("user_code.py")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        await self.objects.put(f"bundles/{digest}.tar.gz", packed.getvalue())
        return digest


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    platform = Platform(tmp_path)
    await platform.start()
    yield platform
    await platform.server.stop(0.1)
    await platform.stage.close()


async def test_a_run_succeeds_in_a_pod_that_may_write_its_own_data_only(
    platform: Platform, start_pod: StartPod
) -> None:
    spec = task("env.f")
    spec.entrypoint.module, spec.entrypoint.attribute = "user_code", "f"
    spec.entrypoint.bundle_digest = await platform.add_bundle(SOURCE)
    await platform.stage.submit(spec)
    pod = await start_pod(platform.server.address, env={"FLYTE_WORKER_TOKEN": platform.pod.spec.token})
    assert await pod.exit_code() == 0
    assert await platform.stage.phase() is Phase.SUCCEEDED
    (own,) = (await platform.objects.list("data/")).objects
    assert own.key.endswith("/a0/1/own file")


async def test_whoever_asks_is_told_that_a_pod_waits_for_code_that_cannot_be_read(platform: Platform) -> None:
    spec = task("env.f")
    spec.entrypoint.bundle_digest = await platform.add_bundle(SOURCE)
    await platform.stage.submit(spec)
    platform.objects.away = True
    async with grpc.aio.insecure_channel(platform.server.address) as channel:
        fetch: Any = WorkerDataServiceStub(channel).FetchBundle
        metadata = (("authorization", f"Bearer {platform.pod.spec.token}"),)
        call = fetch(FetchBundleRequest(digest=spec.entrypoint.bundle_digest), metadata=metadata)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
    explained = await platform.stage.scheduler.queries.explain(KEY, "a0")
    assert "cannot read its code yet: the object store does not answer" in explained.summary


async def test_first_words_are_judged_by_the_token_as_every_stream_is(platform: Platform, start_pod: StartPod) -> None:
    spec = task("env.f")
    spec.entrypoint.module, spec.entrypoint.attribute = "user_code", "f"
    spec.entrypoint.bundle_digest = await platform.add_bundle(SOURCE)
    await platform.stage.submit(spec)
    token, address = platform.pod.spec.token, platform.server.address
    run, lease, mint = platform.stage.action().run.key, platform.lease, attempt_token_mint(platform.minter)
    foreign = [(run, "a0", lease + 1), (run, "a1", lease), (run._replace(name="another"), "a0", lease)]
    for wrong in ("forged", *(mint(run, action, 1, lease, ()) for run, action, lease in foreign)):
        assert await ask(address, token=wrong) is None
    first = await ask(address, token=token)
    assert first is not None
    assert [order.WhichOneof("order") for order in first.orders] == ["declare_run", "declare_task", "assign"]
    assert first.orders[-1].lease == platform.lease
    # Whoever said them went away with the orders, and nothing has begun: the pod's own words are as good as the first.
    pod = await start_pod(address, env={"FLYTE_WORKER_TOKEN": token})
    assert await pod.exit_code() == 0
    assert await platform.stage.phase() is Phase.SUCCEEDED
    assert await ask(address, token=token) is None
