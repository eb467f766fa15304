"""What a process says of itself over HTTP: alive while its loop turns, ready while it is of use."""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.postgres import PostgresServer, make_server

from flyteplane.coordination import MemoryCoordination
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.launcher.health import CoordinationAnswers, DatabaseAnswers, Health, LeadersAnswer
from flyteplane.launcher.metrics_listener import serve_metrics
from flyteplane.launcher.platform import Platform
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.observe import Metrics
from flyteplane.rpc.leader_channel import LeaderChannel
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.whereabouts import Whereabouts

OK = (200, "ok\n")


def answer(address: str, path: str) -> tuple[int, str]:
    """Status and text."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


async def ask(address: str, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(answer, address, path)


async def test_a_blocked_loop_is_not_live_and_one_that_turns_again_is() -> None:
    async with AsyncExitStack() as stack:
        address = await serve_metrics(Metrics(), "127.0.0.1:0", stack=stack, health=Health(), patience_s=0.1)
        asked = asyncio.get_running_loop().run_in_executor(None, answer, address, "/live")
        time.sleep(0.5)  # noqa: ASYNC251  # the loop is blocked on purpose
        assert await asked == (503, "the process has not answered within 0.1 s\n")
        assert await ask(address, "/live") == OK


async def test_a_failed_service_is_neither_live_nor_ready_and_a_stopping_process_is_live() -> None:
    problems: list[str] = []
    health = Health(failed=lambda: "; ".join(problems))
    async with AsyncExitStack() as stack:
        address = await serve_metrics(Metrics(), "127.0.0.1:0", stack=stack, health=health)
        assert await ask(address, "/ready") == OK
        health.stop()
        assert await ask(address, "/ready") == (503, "it was told to stop\n")
        assert await ask(address, "/live") == OK
        problems.append("the disk is full")
        assert await ask(address, "/live") == (503, "the disk is full\n")


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A database server that a test may stop, in a folder that its user can reach."""
    with tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as folder:
        server = make_server(Path(folder))
        server.start()
        yield server
        server.stop()


async def test_a_database_that_stops_is_missed_until_it_is_back(own_server: PostgresServer) -> None:
    server = own_server
    need = DatabaseAnswers(server.url(server.create_database(), schema="admin"))
    try:
        await says(need, "")
        await asyncio.to_thread(server.stop)
        await says(need, "cannot be reached")
        await asyncio.to_thread(server.start)
        await says(need, "")
    finally:
        await need.close()


async def says(need: DatabaseAnswers, words: str) -> None:
    """Ask until it says so, as a probe does: a busy machine may take longer than one question has."""
    async with asyncio.timeout(60):
        while not ((missed := await need.missed()) == words or (words and words in missed)):
            pass


async def test_a_coordination_store_that_is_away_is_missed() -> None:
    class Away(MemoryCoordination):
        async def get(self, key: str) -> None:
            raise Unavailable("etcd cannot be reached")

    assert await CoordinationAnswers(MemoryCoordination(clock=ManualClock())).missed() == ""
    assert await CoordinationAnswers(Away(clock=ManualClock())).missed() == "etcd cannot be reached"


async def test_a_leader_is_missed_when_an_election_ought_to_be_over() -> None:
    clock, there, server = ManualClock(), Whereabouts("cache"), RpcServer("127.0.0.1:0")
    channel = LeaderChannel(there)
    need = LeadersAnswer({"cache": channel}, clock=clock, patience_s=15.0)
    try:
        assert await need.missed() == "nobody is known to lead cache, or it cannot be reached"
        there.tell(await server.start())
        assert await need.missed() == ""
        there.tell("")
        clock.advance(14.0)
        assert await need.missed() == ""
        clock.advance(2.0)
        assert await need.missed()
    finally:
        await channel.close()
        await server.stop(0)


async def test_the_platform_in_one_process_tells_how_it_is(tmp_path: Path) -> None:
    platform = await Platform.open(PlatformSettings(data=tmp_path / "platform", metrics_listen="127.0.0.1:0"))
    try:
        assert await ask(platform.metrics_address, "/live") == OK
        assert await ask(platform.metrics_address, "/ready") == OK
    finally:
        await platform.close()
    with pytest.raises(urllib.error.URLError):
        await ask(platform.metrics_address, "/live")
