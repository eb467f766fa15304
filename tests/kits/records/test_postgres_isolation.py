"""Whoever waits for a turn sees what was committed meanwhile, however the database isolates transactions by default."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import Connection, text
from tests.support.postgres import PostgresServer

from flyteplane.records import Database, open_database

_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"  # noqa: E501  # one statement


@pytest.mark.parametrize("default", ["read committed", "repeatable read", "serializable"])
async def test_a_writer_that_waited_sees_what_the_one_before_it_stored(
    postgres_server: PostgresServer, postgres_url: str, default: str
) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{default}'", database=name)
    async with AsyncExitStack() as stack:
        first, second = [await open_database(postgres_url) for _ in range(2)]
        for database in (first, second):
            stack.push_async_callback(database.close)
        assert await counted_after_a_wait(first, second) == 1


async def counted_after_a_wait(first: Database, second: Database) -> int:
    """What the second writer counts that waited for the first one, which stored one thing."""
    await first.transaction(lambda connection: connection.execute(text("CREATE TABLE things (number int)")).close())
    waiting: list[asyncio.Future[int]] = []

    def count(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM things")).scalar_one())

    def store_while_another_waits(connection: Connection) -> None:
        waiting.append(asyncio.ensure_future(second.transaction(count)))
        while not connection.execute(text(_WAITING)).scalar():
            pass
        connection.execute(text("INSERT INTO things VALUES (1)"))

    await first.transaction(store_while_another_waits)
    return await waiting[0]
