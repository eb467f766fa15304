"""A commit that was carried out, but whose answer never came: nobody takes it for refused, and nothing follows it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.postgres import PostgresServer

from flyteplane.foundation.errors import Aborted, Unavailable
from flyteplane.records import migrate, open_database
from flyteplane.scheduler.application.ports import Changes, SegmentRow
from flyteplane.scheduler.store.sql_records import SqlRecords

_SOCKET = ".s.PGSQL.5432"


class LossyLine:
    """Passes everything on between a client and the server, and hangs up on a commit's answer when told to."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self.loses_next_answer = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._server / _SOCKET))
        commits = asyncio.Event()
        asked = asyncio.create_task(self._pass_on(reader, server_writer, commits))
        while answer := await server_reader.read(65536):
            if commits.is_set():
                break
            writer.write(answer)
        for one in (writer, server_writer):
            one.close()
        await asyncio.gather(asked, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, commits: asyncio.Event) -> None:
        while said := await reader.read(65536):
            if self.loses_next_answer and said.startswith(b"Q") and b"COMMIT" in said:
                self.loses_next_answer = False
                commits.set()
            to.write(said)
        to.close()


@pytest.fixture
async def line(postgres_server: PostgresServer) -> AsyncIterator[tuple[LossyLine, Path]]:
    """The line, and the folder of its socket."""
    line = LossyLine(postgres_server.folder)
    with tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as name:
        listener = await asyncio.start_unix_server(line.serve, Path(name) / _SOCKET)
        yield line, Path(name)
        listener.close()
        await listener.wait_closed()


def segment(number: int) -> Changes:
    return Changes(segments=[SegmentRow(1, number, number, b"")])


async def stored(records: SqlRecords) -> list[int]:
    return [row.first_sequence for row in await records.segments(1, from_sequence=1, limit=100)]


async def test_what_is_stored_stays_a_prefix_when_the_answer_to_a_commit_is_lost(
    line: tuple[LossyLine, Path], postgres_url: str, postgres_server: PostgresServer
) -> None:
    lossy, folder = line
    database = await open_database(postgres_url.replace(str(postgres_server.folder), str(folder)))
    await migrate(database, package="flyteplane.scheduler.store.migrations")
    records = SqlRecords(database)
    await records.claim(at_least=1)
    await records.save(segment(1))
    lossy.loses_next_answer = True
    saves = [asyncio.ensure_future(records.save(segment(number))) for number in (2, 3)]
    for save in saves:
        with pytest.raises(Unavailable) as lost:
            await save
        assert lost.value.reason == "STORE_OUTCOME_UNKNOWN"
    # Both go into one transaction, in which the second cannot see yet that the first is refused.
    later = [asyncio.ensure_future(records.save(segment(number))) for number in (4, 5)]
    for save in later:
        with pytest.raises(Aborted) as refused:
            await save
        assert refused.value.reason == "EARLIER_WRITE_FAILED"
    assert await stored(records) == [1, 2, 3]
    assert await records.claim(at_least=1) == 2
    await records.close()
