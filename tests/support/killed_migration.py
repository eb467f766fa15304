"""Migrates a database and is killed before statement after statement; a program of its own, because it forks.

    python -m tests.support.killed_migration PACKAGE URL STEP

Each migration begins on what the killed ones before it have left, which must be what was there at first. The last one
is not killed. With a STEP of 3 it is only every third statement. Prints how many statements it took; ends with 1 and
says so if a killed migration has changed anything.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, text

from flyteplane.records import migrate, open_database
from flyteplane.records.migrate import load_revisions

_TABLES: Final = {
    "sqlite": "SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name",
    "postgresql": "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = current_schema() UNION "
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2",
}


def _made(connection: Connection) -> list[tuple[str, str]]:
    """Tables and indexes as the database tells them, and the revision."""
    made = [(str(name), str(what)) for name, what in connection.execute(text(_TABLES[connection.dialect.name]))]
    versions = {name.partition(".")[0] for name, _ in made if name.partition(".")[0].endswith("_version")}
    return made + [
        (name, str(row)) for name in sorted(versions) for row in connection.execute(text(f"SELECT * FROM {name}"))
    ]


async def _look(url: str) -> list[tuple[str, str]]:
    database = await open_database(url)
    try:
        return await database.read(_made)
    finally:
        await database.close()


async def _migrate(url: str, package: str) -> None:
    database = await open_database(url)
    await migrate(database, package=package)
    await database.close()


def _killed_before(statement: int, url: str, package: str) -> bool:
    """Migrate in a child that is killed before a statement; whether it came so far."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or status == 0, f"the migration failed with {status}"
        return os.WIFSIGNALED(status)
    number = 0

    @event.listens_for(Engine, "before_cursor_execute")
    def count(*_: Any) -> None:
        nonlocal number
        if number == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        number += 1

    asyncio.run(_migrate(url, package))
    os._exit(0)


def main(package: str, url: str, step: int) -> int:
    """See the module."""
    # Imported once, not in each child.
    load_revisions(package)
    before = asyncio.run(_look(url))
    gc.freeze()
    number = 0
    while _killed_before(number, url, package):
        if (left := asyncio.run(_look(url))) != before:
            print(f"killed before statement {number} it leaves {set(left) ^ set(before)}", file=sys.stderr)
            return 1
        number += step
    print(number)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
