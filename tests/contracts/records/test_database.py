"""What every database promises: SQLite in memory and in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, select
from sqlalchemy.exc import IntegrityError
from tests.support.postgres import database_url

from flyteplane.foundation.errors import Aborted, AlreadyExists, Unavailable
from flyteplane.records import Database, GroupCommitWriter, open_database

METADATA = MetaData()
NOTES = Table("notes", METADATA, Column("id", Integer, primary_key=True), Column("text", String, nullable=False))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(database_url(request.param, request=request, folder=tmp_path))
    await database.transaction(METADATA.create_all)
    yield database
    await database.close()


def insert(number: int, text: str = "x") -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(NOTES.insert().values(id=number, text=text))
        return number

    return work


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(select(NOTES.c.id).order_by(NOTES.c.id)).scalars())


def refuse(_: Connection) -> None:
    raise AlreadyExists("there is one already")


async def test_a_write_returns_its_result_and_is_seen_by_readers(database: Database) -> None:
    assert await database.write(insert(1)) == 1
    assert await database.read(numbers) == [1]
    assert await database.scan(numbers) == [1]


async def test_what_a_work_raises_reaches_its_caller_and_changes_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        insert(1)(connection)
        refuse(connection)

    with pytest.raises(AlreadyExists):
        await database.write(work)
    assert await database.read(numbers) == []


async def test_works_submitted_together_are_applied_in_order(database: Database) -> None:
    seen: list[int] = []

    def note(position: int, _: object) -> None:
        seen.append(position)

    def append(number: int) -> Callable[[Connection], int]:
        def work(connection: Connection) -> int:
            count = connection.execute(select(func.count()).select_from(NOTES)).scalar_one()
            insert(number)(connection)
            return int(count)

        return work

    writer = database.writer(most=7)
    answers = [writer.submit(append(number)) for number in range(20)]
    for position, answer in enumerate(answers):
        answer.add_done_callback(partial(note, position))
    assert await asyncio.gather(*answers) == list(range(20))
    assert seen == list(range(20))
    await writer.close()


async def test_one_bad_work_fails_alone(database: Database) -> None:
    writer = database.writer()
    answers: list[asyncio.Future[Any]] = [
        writer.submit(insert(1)),
        writer.submit(refuse),
        writer.submit(insert(1)),
        writer.submit(insert(2)),
    ]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], AlreadyExists)
    assert isinstance(results[2], IntegrityError)
    assert results[3] == 2
    assert await database.read(numbers) == [1, 2]
    await writer.close()


async def test_a_bad_work_leaves_nothing_of_itself_behind(database: Database) -> None:
    def half(connection: Connection) -> None:
        insert(50)(connection)
        refuse(connection)

    writer = database.writer()
    good, bad = writer.submit(insert(1)), writer.submit(half)
    assert await good == 1
    with pytest.raises(AlreadyExists):
        await bad
    assert await database.read(numbers) == [1]
    await writer.close()


async def test_the_guard_runs_first_in_every_transaction_and_fences_all_of_it(database: Database) -> None:
    epoch = 1
    guarded = 0

    def guard(_: Connection) -> None:
        nonlocal guarded
        guarded += 1
        if epoch != 1:
            raise Aborted("a newer leader writes here", reason="FENCED")

    writer = database.writer(guard=guard)
    await asyncio.gather(writer.submit(insert(1)), writer.submit(insert(2)))
    assert guarded == 1
    epoch = 2
    results = await asyncio.gather(writer.submit(insert(3)), writer.submit(insert(4)), return_exceptions=True)
    assert [getattr(result, "reason", "") for result in results] == ["FENCED", "FENCED"]
    assert results[0] is not results[1]
    assert await database.read(numbers) == [1, 2]
    await writer.close()


async def test_the_guard_also_holds_when_works_are_run_apart(database: Database) -> None:
    calls = 0

    def guard(_: Connection) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Aborted("a newer leader writes here", reason="FENCED")

    writer = database.writer(guard=guard)
    results = await asyncio.gather(writer.submit(insert(1)), writer.submit(refuse), return_exceptions=True)
    assert [type(result) for result in results] == [Aborted, Aborted]
    assert await database.read(numbers) == []
    await writer.close()


async def test_a_work_that_was_cancelled_before_its_turn_is_left_out(database: Database) -> None:
    writer = database.writer()
    kept, dropped = writer.submit(insert(1)), writer.submit(insert(2))
    dropped.cancel()
    await kept
    assert await database.read(numbers) == [1]
    await writer.close()


async def test_closing_a_writer_answers_what_it_took_and_refuses_the_rest(database: Database) -> None:
    writer = database.writer()
    answers = [writer.submit(insert(number)) for number in range(5)]
    await writer.close()
    assert [answer.result() for answer in answers] == [0, 1, 2, 3, 4]
    with pytest.raises(Unavailable):
        writer.submit(insert(9))
    await writer.close()


@pytest.mark.parametrize("method", ["read", "scan"])
async def test_a_reader_cannot_write(database: Database, method: str) -> None:
    reading: Any = getattr(database, method)
    with pytest.raises(Unavailable) as raised:
        await reading(insert(1))
    assert raised.value.reason == "STORE_READ_ONLY"
    assert await database.write(insert(1)) == 1


async def test_a_read_does_not_see_a_transaction_that_is_not_committed(database: Database) -> None:
    reading: asyncio.Task[list[int]] | None = None

    def work(connection: Connection) -> None:
        nonlocal reading
        insert(1)(connection)
        reading = asyncio.get_running_loop().create_task(database.read(numbers))
        refuse(connection)

    with pytest.raises(AlreadyExists):
        await database.write(work)
    assert reading is not None
    assert await reading == []


async def test_savepoints_inside_a_work_are_its_own(database: Database) -> None:
    def work(connection: Connection) -> None:
        insert(1)(connection)
        with pytest.raises(IntegrityError), connection.begin_nested():
            insert(1)(connection)
        insert(2)(connection)

    await database.write(work)
    assert await database.read(numbers) == [1, 2]


async def test_two_writers_take_turns(database: Database) -> None:
    first, second = database.writer(), database.writer()
    answers = [writer.submit(insert(number)) for number, writer in enumerate([first, second] * 20)]
    await asyncio.gather(*answers)
    assert await database.read(numbers) == list(range(40))
    await first.close()
    await second.close()


async def test_a_cancelled_transaction_leaves_the_database_usable(database: Database) -> None:
    waiting = asyncio.create_task(database.transaction(insert(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await database.write(insert(2))
    assert 2 in await database.read(numbers)


async def test_a_closed_database_says_so(database: Database) -> None:
    await database.close()
    await database.close()
    for call in (
        database.read(numbers),
        database.scan(numbers),
        database.write(numbers),
        database.transaction(numbers),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_an_idle_writer_does_not_wait_for_company(database: Database) -> None:
    transactions = 0

    async def counting(work: Callable[[Connection], Any]) -> Any:
        nonlocal transactions
        transactions += 1
        return await database.transaction(work)

    writer = GroupCommitWriter(counting)
    await writer.submit(insert(1))
    assert transactions == 1
    await asyncio.gather(*(writer.submit(insert(number)) for number in range(2, 100)))
    assert transactions <= 3
    await writer.close()
