"""A leader that is stopped in the middle of a commit holds nobody up for long, and changes nothing afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flyteplane.foundation.errors import Aborted
from flyteplane.records import migrate, open_database
from flyteplane.scheduler.application.ports import Changes, RunKey, RunRow, SegmentRow
from flyteplane.scheduler.store.sql_records import SqlRecords

MIGRATIONS = "flyteplane.scheduler.store.migrations"
#: The server ends what stands still for 3 s, and whoever waits ends the rest after 3.5 s; more is for a busy machine.
BOUND_S = 30.0

#: Claims, saves one segment, and stops itself between the statements of the second save and its commit.
_LEADER = """
import asyncio, os, signal, sys

from flyteplane.foundation.errors import PlatformError
from flyteplane.records import GroupCommitWriter, open_database
from flyteplane.scheduler.application.ports import Changes, SegmentRow
from flyteplane.scheduler.store.sql_records import SqlRecords

class StopsBeforeCommit:
    def __init__(self, database):
        self._database = database
        self.transaction = database.transaction
        self.close = database.close
        self.commits = 0

    def writer(self, *, guard=None, most=500):
        return GroupCommitWriter(self._transact, guard=guard, most=most)

    async def _transact(self, work):
        def stopping(connection):
            result = work(connection)
            self.commits += 1
            if self.commits == 2:
                os.kill(os.getpid(), signal.SIGSTOP)
            return result
        return await self._database.transaction(stopping)

async def main():
    records = SqlRecords(StopsBeforeCommit(await open_database(sys.argv[1])))
    print("epoch", await records.claim(at_least=1), flush=True)
    for number in (1, 2, 3):
        try:
            await records.save(Changes(segments=[SegmentRow(1, number, number, b"old")]))
            print("stored", number, flush=True)
        except PlatformError as error:
            print("refused", number, error.reason, flush=True)
    await records.close()

asyncio.run(main())
"""


@contextmanager
def leader(url: str) -> Iterator[subprocess.Popen[str]]:
    """The old leader, stopped in its second commit."""
    process = subprocess.Popen([sys.executable, "-c", _LEADER, url], stdout=subprocess.PIPE, text=True)
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the leader ended before it was stopped"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def segment(number: int) -> Changes:
    return Changes(segments=[SegmentRow(1, number, number, b"new")])


@pytest.fixture
async def url(postgres_url: str) -> str:
    """An empty database of the scheduler."""
    database = await open_database(postgres_url)
    await migrate(database, package=MIGRATIONS)
    await database.close()
    return postgres_url


async def test_a_leader_paused_in_a_commit_is_replaced_in_time_and_stores_nothing_of_it(url: str) -> None:
    with leader(url) as old:
        began = time.monotonic()
        records = SqlRecords(await open_database(url, busy_timeout_s=BOUND_S))
        assert await records.claim(at_least=2) == 2
        await records.save(segment(2))
        assert time.monotonic() - began < BOUND_S
        old.send_signal(signal.SIGCONT)
        said, _ = await asyncio.to_thread(old.communicate, timeout=30)
        assert said.splitlines()[:3] == ["epoch 1", "stored 1", "refused 2 FENCED"]
        assert said.splitlines()[3].startswith("refused 3")
        stored = await records.segments(1, from_sequence=1, limit=10)
        assert [(row.first_sequence, row.batch) for row in stored] == [(1, b"old"), (2, b"new")]
        await records.close()


async def test_a_leader_that_comes_back_before_it_is_replaced_goes_on(url: str) -> None:
    with leader(url) as old:
        old.send_signal(signal.SIGCONT)
        said, _ = await asyncio.to_thread(old.communicate, timeout=30)
        assert said.splitlines() == ["epoch 1", "stored 1", "stored 2", "stored 3"]


async def test_a_leader_that_is_killed_in_a_commit_is_replaced_at_once(url: str) -> None:
    with leader(url) as old:
        old.kill()
        await asyncio.to_thread(old.wait, 10)
        records = SqlRecords(await open_database(url))
        assert await records.claim(at_least=1) == 2
        await records.save(Changes(runs=[run(1)]))
        assert [row.batch for row in await records.segments(1, from_sequence=1, limit=10)] == [b"old"]
        await records.close()


async def test_of_two_leaders_in_two_processes_only_the_newer_one_writes(url: str) -> None:
    old, new = SqlRecords(await open_database(url)), SqlRecords(await open_database(url))
    await old.claim(at_least=1)
    saves = [asyncio.ensure_future(old.save(segment(number))) for number in range(1, 30)]
    epoch = await new.claim(at_least=1)
    stored = await new.segments(1, from_sequence=1, limit=100)
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    kept = [outcome for outcome in outcomes if outcome is None]
    assert [row.first_sequence for row in stored] == list(range(1, len(kept) + 1))
    assert all(isinstance(outcome, Aborted) for outcome in outcomes[len(kept) :])
    with pytest.raises(Aborted):
        await old.save(segment(50))
    assert epoch == 2
    await old.close()
    await new.close()


def run(number: int) -> RunRow:
    return RunRow(key=RunKey("p", "d", f"r{number}"), id=number, digest=b"", settings=b"", phase=1, created_at=1.0)
