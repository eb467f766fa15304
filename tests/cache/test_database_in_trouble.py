"""A database that somebody else holds, and one that comes back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cache.stage import key

from flyteplane.cache.application.results import Results
from flyteplane.cache.domain.entries import Entry, Item, PutOutcome
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.cache.store.sql_entries import SqlEntries
from flyteplane.cache.store.stored_objects import EverythingIsThere
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.records import migrate, open_database


def item(number: int) -> Item:
    return Item(entry=Entry(key=key(number), outputs=b"v", producer="p/d/r/a0", task_name="e.t", cache_version="1"))


async def test_while_another_process_holds_the_database_stores_are_refused_and_lookups_answered(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cache.db"
    database = await open_database(f"sqlite:///{path}", busy_timeout_s=0.1)
    await migrate(database, package="flyteplane.cache.store.migrations")
    entries = SqlEntries(database)
    results = Results(entries=entries, objects=EverythingIsThere(), clock=ManualClock(), limits=CacheLimits())
    await results.put([item(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await results.put([item(2)])
        with pytest.raises(Unavailable):
            await entries.hold([(key(2), 5)], at=1.0)
        found = await results.lookup([(key(1), None), (key(2), None)])
        assert [entry is not None for entry in found] == [True, False]
        other.execute("ROLLBACK")
    assert await results.put([item(2)]) == [PutOutcome.STORED]
    assert await entries.hold([(key(2), 5)], at=1.0) == [True]
    await entries.close()
