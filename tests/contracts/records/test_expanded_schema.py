"""The job of the next build expands the tables of a service that is at work, which notices nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, text
from tests.support.postgres import database_url

from flyteplane.cache.domain.entries import Entry, EntryKey, Item, PutOutcome
from flyteplane.cache.store.sql_entries import SqlEntries
from flyteplane.records import open_database, open_migrated

CACHE = "flyteplane.cache.store.migrations"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return database_url(request.param, request=request, folder=tmp_path)


def expand(connection: Connection) -> None:
    """What a revision may do while older code works."""
    connection.execute(text("ALTER TABLE entries ADD COLUMN of_the_next_build INTEGER DEFAULT 7"))
    connection.execute(text("CREATE INDEX of_the_next_build ON entries (of_the_next_build)"))
    Table("tables_of_the_next_build", MetaData(), Column("id", Integer, primary_key=True)).create(connection)


def entry(number: int) -> Entry:
    return Entry(
        key=EntryKey("p", "d", bytes([number]) * 32),
        outputs=b"outputs",
        producer="p/d/r/a0",
        task_name="t",
        cache_version="1",
    )


async def test_writing_and_reading_go_on(url: str) -> None:
    entries = SqlEntries(await open_migrated(url, package=CACHE, epoch=1))
    other = await open_database(url)
    try:
        for number in range(8):
            if number == 4:
                await other.transaction(expand)
            assert await entries.put([Item(entry=entry(number))]) == [PutOutcome.STORED]
            assert len(await entries.find([entry(one).key for one in range(8)])) == number + 1
    finally:
        await other.close()
        await entries.close()
