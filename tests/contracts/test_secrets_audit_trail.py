"""The contract of the secrets service's audit trail, over all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.postgres import database_url

from flyteplane.records import migrate, open_database
from flyteplane.secrets.application.ports import AuditTrail
from flyteplane.secrets.domain.audit import AuditEntry, AuditFilter, Outcome, Subject
from flyteplane.secrets.domain.names import ORGANISATION, SecretScope
from flyteplane.secrets.store.memory_audit import MemoryAudit
from flyteplane.secrets.store.sql_audit import SqlAudit

ATTEMPT = Subject(project="p", domain="d", run="r", action="a0", attempt=2, lease=2**64 - 1)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def trail(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AuditTrail]:
    if request.param == "memory":
        yield MemoryAudit()
        return
    database = await open_database(database_url(request.param, request=request, folder=tmp_path))
    await migrate(database, package="flyteplane.secrets.store.migrations")
    yield SqlAudit(database)
    await database.close()


def entry(at: float = 1.0, **facts: object) -> AuditEntry:
    values: dict[str, object] = {"subject": ATTEMPT, "secret": "token", "outcome": Outcome.GIVEN, **facts}
    return AuditEntry(at=at, **values)  # type: ignore[arg-type]


async def test_entries_come_back_as_they_were_written(trail: AuditTrail) -> None:
    entries = [
        entry(scope=SecretScope("p", "d"), version=7),
        entry(scope=ORGANISATION, version=1),
        entry(outcome=Outcome.MISSING),
        entry(outcome=Outcome.BAD_TOKEN, secret="", subject=Subject()),
        entry(subject=Subject(project="p", domain="d", pool="0" * 64, replica="r-1")),
    ]
    await trail.record(entries)
    assert [one for _, one in await trail.page(limit=10)] == entries[::-1]


async def test_pages_go_from_new_to_old_without_gap(trail: AuditTrail) -> None:
    await trail.record([entry(secret=f"s{number}") for number in range(5)])
    await trail.record([])
    seen: list[str] = []
    before: int | None = None
    while page := await trail.page(limit=2, before=before):
        seen += [one.secret for _, one in page]
        before = page[-1][0]
    assert seen == ["s4", "s3", "s2", "s1", "s0"]


async def test_old_entries_are_forgotten(trail: AuditTrail) -> None:
    await trail.record([entry(at=1.0), entry(at=2.0), entry(at=3.0)])
    assert await trail.forget(before=2.0) == 1
    assert [one.at for _, one in await trail.page(limit=10)] == [3.0, 2.0]


async def test_entries_are_found_by_secret_and_by_whose_run_it_was(trail: AuditTrail) -> None:
    other = Subject(project="q", domain="d", run="r")
    await trail.record(
        [entry(), entry(subject=other), entry(secret="db/token"), entry(secret="", subject=Subject()), entry(at=2.0)]
    )

    async def found(limit: int = 10, before: int | None = None, **matching: str) -> list[tuple[str, str, float]]:
        page = await trail.page(limit=limit, before=before, matching=AuditFilter(**matching))
        return [(one.secret, one.subject.project, one.at) for _, one in page]

    assert await found(secret="token") == [("token", "p", 2.0), ("token", "q", 1.0), ("token", "p", 1.0)]
    assert await found(secret="token", project="p") == [("token", "p", 2.0), ("token", "p", 1.0)]
    assert await found(secret="db/token", domain="d") == [("db/token", "p", 1.0)]
    assert await found(domain="other") == []
    assert len(await found()) == 5
    ((number, _),) = await trail.page(limit=1, matching=AuditFilter(secret="token"))
    assert await found(limit=1, before=number, secret="token") == [("token", "q", 1.0)]
