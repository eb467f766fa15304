"""What was on its way and never arrived goes after a day, from every kind of store; nothing else does."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.support.object_stores import every_store

from flyteplane.foundation.clock import ManualClock, SystemClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.objects import FolderObjectStore, MemoryObjectStore, ObjectStore
from flyteplane.objects.port import ObjectPage
from flyteplane.objects.sweeping import FIRST_AFTER_S, ROUND_S, Sweeper

GIVEN_UP = ("uploads/p/d/00/id", "incoming/one")
ARRIVED = ("bundles/b.tar.gz", "data/p/d/r/a0/1/x/o0", "inputs/p/d/00/uploads/f.csv")
DAY_S = 24 * 3600.0

__all__ = ["every_store"]


@pytest.fixture
def store(every_store: ObjectStore) -> ObjectStore:
    return every_store


async def left_in(store: ObjectStore) -> set[str]:
    return {info.key for info in (await store.list("")).objects}


async def test_what_never_arrived_goes_after_a_day(store: ObjectStore) -> None:
    for key in (*GIVEN_UP, *ARRIVED):
        await store.put(key, b"content")
    now = SystemClock().now()
    assert await Sweeper(store, clock=ManualClock(now + DAY_S - 600)).sweep() == 0
    assert await Sweeper(store, clock=ManualClock(now + DAY_S + 600)).sweep() == len(GIVEN_UP)
    assert await left_in(store) == set(ARRIVED)


async def test_temporary_files_of_killed_writers_go_from_a_folder(tmp_path: Path) -> None:
    clock = ManualClock(SystemClock().now())
    store = FolderObjectStore(tmp_path, clock=clock)
    await store.put("data/kept", b"content")
    left = [tmp_path / "data" / name for name in (".tmp-1", ".flyte-0123456789abcdef")]
    users = tmp_path / "data" / ".flyte-rc"
    for path in (*left, users):
        path.write_bytes(b"half")
        os.utime(path, (clock.now() - 2 * DAY_S,) * 2)
    assert await Sweeper(store, clock=clock).sweep() == len(left)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [".flyte-rc", "kept"]


class AwayAtFirst(MemoryObjectStore):
    """Answers no list but from the second on."""

    lists = 0

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> ObjectPage:
        self.lists += 1
        if self.lists == 1:
            raise Unavailable("the store is away")
        return await super().list(prefix, after=after, limit=limit)


async def test_it_is_done_every_day_and_a_store_that_is_away_waits_for_the_next() -> None:
    clock = ManualClock()
    store = AwayAtFirst(clock=clock)
    await store.put(GIVEN_UP[0], b"content")
    background = BackgroundTasks("test")
    background.start(Sweeper(store, clock=clock).run(), name="objects")
    for pause_s in (FIRST_AFTER_S, ROUND_S):
        await settled()
        assert await store.head(GIVEN_UP[0]) is not None
        clock.advance(pause_s)
    await settled()
    assert await store.head(GIVEN_UP[0]) is None
    await background.stop()


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
