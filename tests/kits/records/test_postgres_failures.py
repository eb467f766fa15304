"""A PostgreSQL server that goes away, comes late, refuses or loses an answer: what callers see, and what is stored."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, String, Table, select, text
from tests.support.postgres import PostgresServer, make_server

from flyteplane.foundation.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    PermissionDenied,
    PlatformError,
    Unavailable,
)
from flyteplane.records import Database, open_database

METADATA = MetaData()
NOTES = Table(
    "notes",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=True),
    Column("text", String, nullable=False),
    Column("content", LargeBinary),
)
PASSWORD = "open-sesame"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as name:
        server = make_server(Path(name))
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(postgres_url)
    await database.transaction(METADATA.create_all)
    yield database
    await database.close()


def note(said: str = "x", *, content: bytes | None = None) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        made = connection.execute(NOTES.insert().values(text=said, content=content)).inserted_primary_key
        assert made is not None
        return int(made[0])

    return work


def notes(connection: Connection) -> list[str]:
    return list(connection.execute(select(NOTES.c.text).order_by(NOTES.c.number)).scalars())


async def refusal(url: str, *, patience_s: float = 0.3) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        await open_database(url, patience_s=patience_s)
    assert PASSWORD not in f"{raised.value} {raised.value!r} {raised.value.__cause__}"
    return raised.value


async def test_a_server_that_is_down_is_named_after_a_while(tmp_path: Path) -> None:
    places = {"localhost:1": "localhost:1/flights", str(tmp_path): f"/flights?host={tmp_path}"}
    for place, rest in places.items():
        refused = await refusal(f"postgresql://user:{PASSWORD}@{rest}")
        assert isinstance(refused, Unavailable)
        assert refused.reason == "STORE_UNREACHABLE"
        assert f"'flights' at {place}" in refused.message
        assert refused.mend


async def test_a_server_that_starts_late_is_waited_for(own_server: PostgresServer) -> None:
    url = own_server.url("postgres")
    own_server.stop()
    opening = asyncio.create_task(open_database(url, patience_s=60))
    await asyncio.to_thread(own_server.start)
    database = await opening
    assert await database.read(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1
    await database.close()


async def test_a_refused_login_and_a_missing_database_are_believed_at_once(postgres_server: PostgresServer) -> None:
    postgres_server.execute("DROP ROLE IF EXISTS guest; CREATE ROLE guest NOLOGIN", database="postgres")
    url = postgres_server.url("postgres").replace("//flyteplane@", f"//guest:{PASSWORD}@")
    refused = await refusal(url, patience_s=1000)
    assert (type(refused), refused.reason) == (PermissionDenied, "STORE_LOGIN_REFUSED")
    missing = await refusal(postgres_server.url("atlantis"), patience_s=1000)
    assert (type(missing), missing.reason) == (FailedPrecondition, "STORE_NO_DATABASE")
    assert "atlantis" in missing.message


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{PASSWORD}@host:port/db",
        f"postgresql://user:{PASSWORD}@localhost/db?sslmode=perhaps",
        f"postgresql://user:{PASSWORD}@/db?schema=one&schema=two",
        f"postgresql+psycopg://user:{PASSWORD}@/db",
    ],
)
async def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    assert isinstance(await refusal(url, patience_s=1000), InvalidArgument)


async def test_a_database_that_is_not_in_utf8_is_refused(postgres_server: PostgresServer) -> None:
    made = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    postgres_server.execute(made, database="postgres")
    refused = await refusal(postgres_server.url("latin"))
    postgres_server.drop_database("latin")
    assert refused.reason == "STORE_ENCODING"


async def test_a_restart_of_the_server_is_survived_between_transactions_and_inside(own_server: PostgresServer) -> None:
    database = await open_database(own_server.url("postgres"), busy_timeout_s=60)
    await database.transaction(METADATA.create_all)
    await database.write(note("before"))
    assert await database.read(notes) == ["before"]
    own_server.stop()
    own_server.start()
    assert await database.read(notes) == ["before"]
    await database.write(note("between"))
    attempts = 0

    def restarting(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        note("inside")(connection)
        if attempts == 1:
            own_server.stop()
            own_server.start()
        note("inside too")(connection)

    await database.write(restarting)
    assert attempts == 2
    assert await database.read(notes) == ["before", "between", "inside", "inside too"]
    await database.close()


async def test_a_server_that_stays_away_fails_reads_and_writes_and_closing_still_works(
    own_server: PostgresServer,
) -> None:
    database = await open_database(own_server.url("postgres"), busy_timeout_s=0.3)
    await database.transaction(METADATA.create_all)
    own_server.stop()
    for call in (database.read(notes), database.scan(notes), database.write(note()), database.transaction(note())):
        with pytest.raises(Unavailable) as raised:
            await call
        assert raised.value.reason == "STORE_UNREACHABLE"
    await database.close()
    own_server.start()


async def test_a_commit_whose_answer_is_lost_is_reported_as_unknown(database: Database) -> None:
    ends_itself = """
        CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION end_session();
    """

    def arrange(connection: Connection) -> None:
        for statement in ends_itself.split(";\n        CREATE CONSTRAINT"):
            start = "" if "FUNCTION end_session() RETURNS" in statement else "CREATE CONSTRAINT"
            connection.execute(text(start + statement))

    await database.transaction(arrange)
    writer = database.writer()
    answers = [writer.submit(note("lost")), writer.submit(note("lost too"))]
    for outcome in await asyncio.gather(*answers, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
        assert outcome.reason == "STORE_OUTCOME_UNKNOWN"
    await database.transaction(lambda connection: connection.execute(text("DROP TRIGGER ends ON notes")).close())
    await writer.submit(note("kept"))
    assert await database.read(notes) == ["kept"]
    await writer.close()


async def test_a_work_that_goes_on_after_a_failed_statement_is_not_taken_for_stored(database: Database) -> None:
    def careless(connection: Connection) -> None:
        note("first")(connection)
        try:
            connection.execute(text("SELECT 1 / 0"))
        except Exception:
            return

    with pytest.raises(Internal):
        await database.write(careless)
    await database.write(note("second"))
    assert await database.read(notes) == ["second"]


async def test_text_with_a_nul_is_stored_with_a_sign_in_its_place(database: Database) -> None:
    await database.write(note("a\0b"))
    assert await database.read(notes) == ["a\N{SYMBOL FOR NULL}b"]
    found = select(NOTES.c.number).where(NOTES.c.text == "a\0b")
    assert await database.read(lambda connection: connection.execute(found).scalar()) == 1


async def test_large_contents_come_back_as_they_were(database: Database) -> None:
    content = bytes(range(256)) * 65536
    await database.write(note("large", content=content))
    query = select(NOTES.c.content)
    assert await database.read(lambda connection: connection.execute(query).scalar()) == content


async def test_numbers_grow_in_the_order_of_commits_over_all_processes(postgres_url: str, database: Database) -> None:
    other = await open_database(postgres_url)
    seen: list[int] = []

    async def insert_some(into: Database) -> None:
        for _ in range(20):
            number = await into.transaction(note())
            known = await into.read(lambda connection: connection.execute(select(NOTES.c.number)).scalars().all())
            assert set(known) == set(range(1, max(known) + 1))
            seen.append(number)

    await asyncio.gather(insert_some(database), insert_some(other))
    assert sorted(seen) == list(range(1, 41))
    await other.close()


def stand_still(connection: Connection, *, standing: asyncio.Event) -> Any:
    """A work that stops in the middle of a command, where no timeout of the server counts."""
    note("standing")(connection)

    async def nothing_more() -> AsyncIterator[bytes]:
        standing.set()
        await asyncio.Event().wait()
        yield b""

    adapter: Any = connection.connection.dbapi_connection
    return adapter.run_async(lambda driver: driver.copy_to_table("notes", source=nothing_more()))


async def test_whoever_waits_ends_a_process_that_stands_still_in_a_command(
    postgres_url: str, database: Database
) -> None:
    other = await open_database(postgres_url)
    standing = asyncio.Event()
    stopped = asyncio.create_task(other.transaction(partial(stand_still, standing=standing)))
    await standing.wait()
    await database.write(note("next"))
    assert await database.read(notes) == ["next"]
    stopped.cancel()
    await asyncio.wait([stopped])
    await other.write(note("other"))
    assert await database.read(notes) == ["next", "other"]
    await other.close()


async def test_a_process_that_is_busy_on_the_server_is_waited_for_and_then_reported(
    postgres_url: str, database: Database
) -> None:
    impatient = await open_database(postgres_url, busy_timeout_s=0.3)
    started = asyncio.Event()

    def work(connection: Connection) -> None:
        started.set()
        connection.execute(text("SELECT pg_sleep(2)"))

    busy = asyncio.create_task(database.transaction(work))
    await started.wait()
    with pytest.raises(Unavailable) as raised:
        await impatient.write(note())
    assert raised.value.reason == "STORE_LOCKED"
    await busy
    await impatient.write(note("after"))
    assert await impatient.read(notes) == ["after"]
    await impatient.close()
