"""The database is locked, slow or gone: callers are told so, nothing is half done, and no value leaves unwritten."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.secrets.conftest import Platform
from tests.support.postgres import PostgresServer, make_server

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.rpc.client import translated_errors


async def rotate(platform: Platform) -> api.RotateKeysResponse:
    with translated_errors():
        return await platform.stub.RotateKeys(api.RotateKeysRequest(new_key=True))


@pytest.fixture
def lock(platform: Platform) -> Iterator[sqlite3.Connection]:
    """Somebody else's write transaction, once it is begun."""
    with closing(sqlite3.connect(platform.folder / "secrets.db", isolation_level=None)) as connection:
        yield connection


async def test_a_lock_that_passes_is_waited_for(platform: Platform, lock: sqlite3.Connection) -> None:
    lock.execute("BEGIN IMMEDIATE")
    creating = asyncio.create_task(platform.create("a", b"hunter2"))
    await asyncio.wait([creating], timeout=0.3)
    assert not creating.done()
    lock.execute("ROLLBACK")
    assert (await creating).version == 1


async def test_a_lock_that_stays_is_told_and_nothing_is_done(platform: Platform, lock: sqlite3.Connection) -> None:
    await platform.create("a", b"hunter2")
    lock.execute("BEGIN IMMEDIATE")
    # What is only looked at goes on; what has to be written down first does not leave.
    assert (await platform.get("a")).version == 1
    calls = (
        platform.create("b", b"x"),
        platform.update("a", b"x"),
        platform.delete("a"),
        platform.resolve("a"),
        rotate(platform),
    )
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
    assert "hunter2" not in repr(outcomes)
    lock.execute("ROLLBACK")
    assert await platform.resolve("a") == [(b"hunter2", 1)]
    assert [entry.outcome for entry in await platform.audited()] == ["given"]
    # The new key was made before the lock was met; what it was made for is done now.
    assert (await rotate(platform)).moved == 1
    assert await platform.resolve("a") == [(b"hunter2", 1)]


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A database server of the test's own, which it may stop."""
    with tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as name:
        server = make_server(Path(name))
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def on_server(server: PostgresServer, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform whose secrets are on that server."""
    platform = Platform(tmp_path, ManualClock())
    platform.database_url = f"{server.url(server.create_database())}&schema=secrets"
    await platform.start()
    yield platform
    await platform.stop()


async def test_a_server_that_is_gone_is_told_and_met_again(on_server: Platform, server: PostgresServer) -> None:
    await on_server.create("a", b"hunter2")
    server.stop()
    calls = (
        on_server.create("b", b"x", request_id="one"),
        on_server.update("a", b"x", request_id="two"),
        on_server.resolve("a"),
        on_server.get("a"),
        rotate(on_server),
    )
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
    assert "hunter2" not in repr(outcomes)
    server.start()
    assert await on_server.resolve("a") == [(b"hunter2", 1)]
    assert (await on_server.create("b", b"x", request_id="one")).version == 1
    assert (await on_server.update("a", b"fresh", request_id="two")).version == 2
    await rotate(on_server)
    assert await on_server.resolve("a", "b") == [(b"fresh", 2), (b"x", 1)]
