"""The migration job, and processes that leave the schemas to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.log_lines import LogLines

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.launcher.__main__ import main
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.schemas import PATIENCE_S, await_schemas, database_urls, migrate_all
from flyteplane.launcher.service_addresses import ServiceAddresses
from flyteplane.records import open_database
from flyteplane.records.migrate import SchemaAge, schema_state

CACHE = "flyteplane.cache.store.migrations"


def url(folder: Path) -> dict[str, str]:
    return {"cache": f"sqlite:///{folder}/cache.db"}


async def age(folder: Path) -> SchemaAge:
    database = await open_database(url(folder)["cache"])
    try:
        return (await schema_state(database, package=CACHE)).age
    finally:
        await database.close()


async def write_version(folder: Path, version: str) -> None:
    """Behave as if another build had migrated."""
    database = await open_database(url(folder)["cache"])
    await database.transaction(
        lambda connection: connection.execute(text("update cache_version set version_num = :new"), {"new": version})
    )
    await database.close()


async def pass_time(clock: ManualClock, waiting: asyncio.Task[None], *, most_s: float) -> None:
    """Let time pass until the wait is over."""
    while not waiting.done() and clock.monotonic() < most_s:
        clock.advance(1.0)
        await asyncio.sleep(0.002)


async def test_a_process_waits_for_the_job_and_migrates_nothing(tmp_path: Path, log_lines: LogLines) -> None:
    clock = ManualClock()
    waiting = asyncio.create_task(await_schemas(url(tmp_path), wait_for_job=True, clock=clock))
    await pass_time(clock, waiting, most_s=clock.monotonic() + 5)
    assert not waiting.done()
    assert await age(tmp_path) is SchemaAge.OLDER
    assert [line["service"] for line in log_lines.all("waiting_for_migration_job")] == ["cache"]
    (line,) = await migrate_all(url(tmp_path), clock=clock)
    assert line.startswith("cache: brought from nothing to")
    await pass_time(clock, waiting, most_s=clock.monotonic() + 60)
    await waiting


async def test_the_wait_for_the_job_has_an_end(tmp_path: Path) -> None:
    clock = ManualClock()
    waiting = asyncio.create_task(await_schemas(url(tmp_path), wait_for_job=True, clock=clock, patience_s=20.0))
    await pass_time(clock, waiting, most_s=clock.monotonic() + PATIENCE_S)
    with pytest.raises(FailedPrecondition) as refusal:
        await waiting
    assert refusal.value.reason == "SCHEMA_TOO_OLD"
    assert "flyteplane.launcher migrate" in refusal.value.mend


@pytest.mark.parametrize("wait_for_job", [True, False])
async def test_a_newer_schema_ends_a_process_before_it_stands_for_election(tmp_path: Path, wait_for_job: bool) -> None:
    await migrate_all(url(tmp_path), clock=ManualClock())
    await write_version(tmp_path, "9999")
    with pytest.raises(FailedPrecondition, match="'9999'") as refusal:
        await await_schemas(url(tmp_path), wait_for_job=wait_for_job, clock=ManualClock())
    assert refusal.value.reason == "SCHEMA_FROM_THE_FUTURE"
    assert "cache.db" in refusal.value.message


async def test_two_jobs_at_once_make_every_schema_once(tmp_path: Path) -> None:
    urls = database_urls(OperatorFile(), folder=tmp_path)
    both = await asyncio.gather(*(migrate_all(urls, clock=ManualClock()) for _ in range(2)))
    assert [len(lines) for lines in both] == [5, 5]
    assert await age(tmp_path) is SchemaAge.CURRENT


def test_the_job_checks_migrates_and_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--data", str(tmp_path), "--check"]) == 1
    assert "cache.db has no schema yet" in capsys.readouterr().out
    assert main(["migrate", "--data", str(tmp_path)]) == 0
    assert "scheduler: brought from nothing to" in capsys.readouterr().out
    assert main(["migrate", "--data", str(tmp_path), "--check"]) == 0


def test_a_folder_that_is_not_there_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--data", str(tmp_path / "nowhere")]) == 2
    assert f"there is no folder {tmp_path}/nowhere" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_a_database_that_stays_away_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flyteplane.yaml"
    file.write_text(f"services: {{database: 'postgresql://flyte:hidden@/flyte?host={tmp_path}'}}\n")
    assert main(["migrate", "--config", str(file), "--wait", "0"]) == 1
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("section", "field"),
    [
        ({"drain_seconds": 61}, "drain_seconds"),
        ({"migrate": "later"}, "services.migrate"),
        ({"migrate": False}, "services.migrate"),
        ({"keys": "keys"}, "keys"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(section: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        ServiceAddresses.parse(section)
    assert refusal.value.field is not None
    assert field in refusal.value.field
