"""A database that was claimed by somebody else takes nothing more, over every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.support.postgres import database_url

from flyteplane.cache.store.tables import eras
from flyteplane.foundation.errors import Aborted
from flyteplane.records import Database, open_migrated

PACKAGE = "flyteplane.cache.store.migrations"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return database_url(request.param, request=request, folder=tmp_path)


@pytest.fixture
async def opened() -> AsyncIterator[list[Database]]:
    """What a test opens is closed."""
    databases: list[Database] = []
    yield databases
    for database in databases:
        await database.close()


def insert(era: int) -> Callable[[Connection], Any]:
    return lambda connection: connection.execute(eras.insert().values(era=era)).rowcount


def stored(connection: Connection) -> list[int]:
    return sorted(connection.execute(select(eras.c.era)).scalars())


async def test_the_later_claim_ends_the_writing_of_the_earlier(url: str, opened: list[Database]) -> None:
    old = await open_migrated(url, package=PACKAGE, epoch=7)
    opened.append(old)
    await old.write(insert(1))
    new = await open_migrated(url, package=PACKAGE, epoch=9)
    opened.append(new)
    await new.transaction(insert(2))
    for attempt in (old.write(insert(3)), old.transaction(insert(4)), old.writer().submit(insert(5))):
        with pytest.raises(Aborted) as refusal:
            await attempt
        assert refusal.value.reason == "FENCED"
    assert await old.read(stored) == await new.read(stored) == [1, 2]


async def test_without_a_store_to_elect_by_each_start_counts_on(url: str, opened: list[Database]) -> None:
    opened.extend([await open_migrated(url, package=PACKAGE, epoch=1) for _ in range(3)])
    with pytest.raises(Aborted, match="epoch 2 was replaced by 3"):
        await opened[1].write(insert(1))
    await opened[2].write(insert(2))
