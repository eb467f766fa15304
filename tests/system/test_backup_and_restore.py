"""A platform that is lost with its disk and comes back from a backup that was made while it ran, as the guide says.

Of the runs before the backup nothing is missing and nothing is done twice; of those after it nothing is known. A
trigger whose hours have passed meanwhile fires once.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from tests.support.announcements import Announcements
from tests.support.ledger import Ledger
from tests.support.platform import FLYTE, PlatformUnderTest
from tests.support.postgres import PostgresServer
from tests.system.conftest import connect
from tests.system.programs import kept, scheduled

import flyte
from flyte.client.init import set_settings
from flyte.io import File
from flyte.remote import Run, Trigger, TriggerDetails

TRIGGERED: Final = "scheduled.report"
DAY_US: Final = 24 * 3600 * 1_000_000
#: As if the backup were a day old.
A_DAY_PASSES: Final = (
    f"UPDATE {{}}triggers SET anchor_us = anchor_us - {DAY_US}, fired_until_us = fired_until_us - {DAY_US}, "
    f"wake_at_us = wake_at_us - {DAY_US} WHERE name = 'hourly'"
)


class Keeping(Protocol):
    """How a platform with one kind of database is kept and brought back."""

    config: str

    def back_up(self, data: Path, to: Path) -> None:
        """While it runs."""

    def restore(self, backup: Path, data: Path) -> None:
        """When it has stopped, and its folder is gone."""


class Files:
    """Everything in the platform's folder."""

    config = ""

    def back_up(self, data: Path, to: Path) -> None:
        command = [str(FLYTE), "backup", "--data", str(data), "--to", str(to)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def restore(self, backup: Path, data: Path) -> None:
        with closing(sqlite3.connect(backup / "admin.db")) as database:
            database.execute(A_DAY_PASSES.format(""))
            database.commit()
        shutil.copytree(backup, data)


class Server:
    """Records in PostgreSQL, and objects beside it."""

    def __init__(self, server: PostgresServer, dumps: Path) -> None:
        self._server = server
        self._name = server.create_database()
        self._dump = dumps / "flyteplane.dump"
        self.config = f"services: {{database: '{server.url(self._name)}'}}\n"

    def back_up(self, data: Path, to: Path) -> None:
        self._dump.parent.mkdir()
        self._run("pg_dump", "--format=custom", f"--file={self._dump}", self._server.url(self._name))
        for name in ("objects", "keys"):
            shutil.copytree(data / name, to / name)

    def restore(self, backup: Path, data: Path) -> None:
        url = self._server.url(self._name)
        self._run("pg_restore", "--clean", "--if-exists", f"--dbname={url}", str(self._dump))
        self._server.execute(A_DAY_PASSES.format("admin."), database=self._name)
        shutil.copytree(backup, data)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._server.programs / program), *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(params=["sqlite", "postgres"])
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> Keeping:
    if request.param == "sqlite":
        return Files()
    return Server(request.getfixturevalue("postgres_server"), tmp_path / "dumps")


@pytest.fixture
def platform(tmp_path: Path, keeping: Keeping) -> Iterator[PlatformUnderTest]:
    """A platform of the test's own."""
    config = tmp_path / "flyteplane.yaml"
    config.write_text(keeping.config)
    own = PlatformUnderTest(tmp_path / "platform", options=["--config", str(config)] if keeping.config else [])
    try:
        own.start()
        connect(own)
        yield own
        own.stop()
        own.assert_nothing_runs(within_s=20)
    finally:
        set_settings(None)
        own.destroy()


def await_true(condition: Callable[[], bool]) -> None:
    """Nothing tells of new runs: they are listed again."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never comes true"
        time.sleep(0.05)


def names() -> set[str]:
    return {run.name for run in Run.listall()}


def hourly() -> TriggerDetails:
    return TriggerDetails.get(name="hourly", task_name=TRIGGERED)


def fired() -> list[Run]:
    return [run for run in Run.listall(task_name=TRIGGERED) if run.to_dict().get("trigger") == "hourly"]


def test_what_was_there_goes_on_from_a_backup_and_nothing_is_done_again(
    platform: PlatformUnderTest, keeping: Keeping, ledger: Ledger, announcements: Announcements, tmp_path: Path
) -> None:
    flyte.deploy(scheduled.env)
    Trigger.create(flyte.Trigger("hourly", flyte.FixedRate(60), inputs={"when": flyte.TriggerTime}), TRIGGERED)
    done = flyte.run(kept.finished, ledger.path, "a whole run")
    done.wait()
    go = tmp_path / "go"
    unfinished = flyte.run(kept.both, ledger.path, announcements.path, str(go))
    announcements.next(within_s=60)
    before = names()

    backup = tmp_path / "backup"
    keeping.back_up(platform.data, backup)
    later = flyte.run(kept.finished, ledger.path, "after the backup")
    later.wait()
    written = len(ledger.entries())
    platform.kill()
    platform.assert_nothing_runs(within_s=20)
    shutil.rmtree(platform.data)
    keeping.restore(backup, platform.data)

    platform.start()
    assert names() >= before
    assert later.name not in names()
    assert text_of(Run.get(done.name).outputs()[0]) == "a whole run"
    announcements.next(within_s=60)
    go.touch()
    file, number = Run.get(unfinished.name).outputs()
    assert (text_of(file), number) == ("first half", 7)
    # Of all that ran before, only what had not ended began once more.
    assert [entry["number"] for entry in ledger.entries()[written:]] == [2]
    # The run comes first, and then the note that it was fired.
    await_true(lambda: hourly().last_fired_at is not None)
    trigger = hourly()
    assert trigger.last_fired_at is not None
    assert trigger.next_fire_at is not None
    assert (trigger.next_fire_at - trigger.last_fired_at).total_seconds() == 3600
    fired()[0].wait()
    assert len(fired()) == 1


def text_of(file: File[Any]) -> str:
    with file.open_sync("rb") as content:
        return bytes(content.read()).decode()
