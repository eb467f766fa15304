"""The audit log loses what it says that it loses, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.identity.audit import NOBODY, AuditRecord
from flyteplane.identity.audit_log import MOST_WAITING, AuditLog
from flyteplane.identity.callers import EVERYWHERE, Scope


class Book:
    """Takes records, unless it is away."""

    def __init__(self) -> None:
        self.pages: list[Sequence[AuditRecord]] = []
        self.away = False

    async def write(self, records: Sequence[AuditRecord]) -> None:
        if self.away:
            raise Unavailable("admin is away")
        self.pages.append(list(records))


def record(number: int, *, subject: str = "key:k") -> AuditRecord:
    return AuditRecord(at_us=number, subject=subject, method="s/M", target=str(number), status="OK", scope=EVERYWHERE)


async def test_what_cannot_be_written_is_written_later_and_in_order() -> None:
    book = Book()
    log = AuditLog(book.write, clock=ManualClock())
    log.record(record(1))
    book.away = True
    assert not await log.flush()
    log.record(record(2))
    book.away = False
    assert await log.flush()
    assert [entry.at_us for page in book.pages for entry in page] == [1, 2]


async def test_a_write_that_is_cut_off_loses_nothing() -> None:
    started, written = asyncio.Event(), list[AuditRecord]()

    async def write(records: Sequence[AuditRecord]) -> None:
        if not started.is_set():
            started.set()
            await asyncio.Event().wait()
        written.extend(records)

    log = AuditLog(write, clock=ManualClock())
    log.record(record(1))
    flushing = asyncio.ensure_future(log.flush())
    await started.wait()
    flushing.cancel()
    await asyncio.wait([flushing])
    assert await log.flush()
    assert [entry.at_us for entry in written] == [1]


async def test_more_than_there_is_room_for_is_counted() -> None:
    book = Book()
    log = AuditLog(book.write, clock=ManualClock())
    for number in range(MOST_WAITING + 3):
        log.record(record(number))
    assert await log.flush()
    entries = [entry for page in book.pages for entry in page]
    assert max(map(len, book.pages)) <= 1000
    assert len(entries) == MOST_WAITING + 1
    assert (entries[-1].status, entries[-1].target) == ("DATA_LOSS", "3 records")


async def test_strangers_cannot_fill_the_log() -> None:
    book = Book()
    log = AuditLog(book.write, clock=ManualClock())
    for number in range(5000):
        log.record(record(number, subject=NOBODY))
    book.away = True
    assert not await log.flush()
    log.record(record(0, subject=NOBODY))
    book.away = False
    assert await log.flush()
    assert [(entry.method, entry.target) for page in book.pages for entry in page] == [("s/M", "5001 times")]


def test_a_text_of_a_caller_cannot_forge_a_line() -> None:
    forged = AuditRecord(
        at_us=0, subject="key:k", method="s/M", target="x\nkey:admin \x1b[2J" + "y" * 999, status="OK", scope=EVERYWHERE
    )
    assert forged.target.isprintable()
    assert len(forged.target) == 300


def test_the_texts_of_a_call_are_kept_short_wherever_they_stand() -> None:
    """Ten thousand wait, a thousand are written as one message: long ones would fill the memory, or never be taken."""
    long = "x" * 1_000_000 + "\0"
    kept = AuditRecord(at_us=1, subject=long, method="m", target=long, status="s", scope=Scope(long, "a\0\nb"))
    texts = (kept.subject, kept.target, kept.scope.project, kept.scope.domain)
    assert [len(text) for text in texts] == [300, 300, 300, 4]
    assert kept.scope.domain == "a??b"
