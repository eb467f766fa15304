"""`flyte get cache` and `flyte delete cache`, against a cache service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.cli.conftest import Command, Finished, Flyte

from flyte.syncify import BackgroundLoop
from flyteapi.cache.v1 import cache_service_pb2 as api
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.cache.main import CacheService, open_cache
from flyteplane.coordination.memory import MemoryCoordination
from flyteplane.foundation.clock import ManualClock
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.server import RpcServer

DAY_S = 24 * 3600.0


class CachePlatform:
    """A cache on a socket, with a loop of its own, and a clock that the test holds."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"unix:{folder}/cache.sock"
        self.clock = ManualClock()
        self._background = BackgroundLoop(name="cache-platform")
        self._service: CacheService
        self._server: RpcServer
        self._inside = InProcessServer()

    def start(self) -> None:
        """Serves."""
        self._background.run(self._start(), what="start")

    def put(self, number: int, **fields: Any) -> None:
        """Stores a result."""
        scope = fields.pop("scope", Scope(project="flytesnacks", domain="development"))
        producer = ActionId(run=RunId(project="flytesnacks", domain="development", name="r1"), name="a0")
        entry = api.CacheEntry(
            key=api.CacheKey(scope=scope, digest=bytes([number]) * 32),
            outputs=Payload(inline=b"v"),
            producer=producer,
            **{"task_name": "env.t", "cache_version": "1", **fields},
        )
        self._background.run(self._put(entry), what="put")

    def close(self) -> None:
        """Ends everything."""
        self._background.run(self._stop(), what="stop")
        loop = self._background.loop()
        loop.call_soon_threadsafe(loop.stop)

    async def _start(self) -> None:
        coordination = MemoryCoordination(clock=self.clock)
        self._service = await open_cache(database_url="sqlite://", coordination=coordination, clock=self.clock)
        self._server = RpcServer(self.endpoint)
        self._service.add_to(self._server.grpc_server)
        self._service.add_to(self._inside)
        await self._server.start()

    async def _put(self, entry: api.CacheEntry) -> None:
        request = api.PutRequest(items=[api.PutRequest.Item(entry=entry)])
        await CacheServiceStub(self._inside.channel()).Put(request)

    async def _stop(self) -> None:
        await self._server.stop(0)
        await self._service.close()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[CachePlatform]:
    platform = CachePlatform(tmp_path)
    platform.start()
    yield platform
    platform.close()


@pytest.fixture
def operate(platform: CachePlatform, flyte: Flyte) -> Command:
    """Runs a command against that cache, which has to end with the code `fails`."""

    def run(*arguments: str, fails: int = 0) -> Finished:
        finished = flyte("--endpoint", platform.endpoint, "--insecure", *arguments)
        assert finished.code == fails, finished
        return finished

    return run


@pytest.fixture
def filled(platform: CachePlatform) -> CachePlatform:
    """Results of two tasks and two versions, each a day younger than the one before, and a shared one."""
    for number, (task, version) in enumerate((("env.t", "old"), ("env.t", "new"), ("env.u", "new"))):
        platform.put(number, task_name=task, cache_version=version)
        platform.clock.advance(DAY_S)
    platform.put(9, scope=Scope(), task_name="env.shared")
    return platform


def listed(operate: Command, *options: str) -> list[tuple[str, str]]:
    return [(one["task"], one["version"]) for one in json.loads(operate("get", "cache", *options, "--json").out)]


def test_results_are_listed_by_task_version_age_and_scope(operate: Command, filled: CachePlatform) -> None:
    assert listed(operate) == [("env.u", "new"), ("env.t", "new"), ("env.t", "old")]
    assert listed(operate, "env.t") == [("env.t", "new"), ("env.t", "old")]
    assert listed(operate, "--version", "new") == [("env.u", "new"), ("env.t", "new")]
    assert listed(operate, "--older-than", "36h") == [("env.t", "new"), ("env.t", "old")]
    assert listed(operate, "--limit", "1") == [("env.u", "new")]
    assert listed(operate, "--project", "other") == []
    assert listed(operate, "--global") == [("env.shared", "1")]


def test_a_result_says_who_computed_it(operate: Command, filled: CachePlatform) -> None:
    (one,) = json.loads(operate("get", "cache", "env.u", "--json").out)
    assert (one["project"], one["producer"], one["key"]) == ("flytesnacks", "r1/a0", "02" * 32)
    assert one["bytes"] > 0
    assert one["used"] == one["created"]
    assert "r1/a0" in operate("get", "cache").out


def test_results_are_deleted_by_task_version_and_age(operate: Command, filled: CachePlatform) -> None:
    said = operate("delete", "cache", "env.t", "--version", "old").out
    assert said == "Deleted 1 cached result of env.t.\n"
    assert json.loads(operate("delete", "cache", "--older-than", "36h", "--json").out) == {"deleted": 1}
    assert listed(operate) == [("env.u", "new")]
    assert operate("delete", "cache", "--version", "new").out == "Deleted 1 cached result.\n"
    assert operate("delete", "cache", "env.shared", "--global").out == "Deleted 1 cached result of env.shared.\n"


def test_deleting_everything_has_to_be_said(operate: Command, filled: CachePlatform) -> None:
    assert "--older-than" in operate("delete", "cache", fails=1).err
    assert "--older-than" in operate("delete", "cache", "--older-than", "soon", fails=1).err
    assert len(listed(operate)) == 3
