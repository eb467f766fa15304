"""The schemas of a platform's databases: brought up to date by a job, and looked at by every process that starts.

    python -m flyteplane.launcher migrate --config flyteplane.yaml [--data DIR] [--check]

Two jobs at once are safe: each schema changes in one transaction under the write lock of its database, and the second
finds nothing to do. A database that is down is waited for.

With `services.migrate: job` a process changes no schema. One that finds an older schema than its own waits for the
job; one that finds a newer schema goes on if that is noted as compatible, whatever the policy, and ends otherwise.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, PlatformError, Unavailable
from flyteplane.launcher.folder import PlatformFolder
from flyteplane.launcher.service_addresses import FIXED_SERVICES
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from pathlib import Path

    from flyteplane.foundation.clock import TimerClock
    from flyteplane.launcher.operator_file import OperatorFile
    from flyteplane.records import Database
    from flyteplane.records.migrate import SchemaState

_log = get_logger("launcher.schemas")

#: How long a process waits for the job, and the job for its databases.
PATIENCE_S: Final = 300.0
#: Between two looks; nobody tells a process that a schema has changed.
_PAUSE_S: Final = 1.0
_CONNECT_S: Final = 5.0


def database_urls(operator: OperatorFile, *, folder: Path) -> Mapping[str, str]:
    """The database of every service: of the operator, or a file in a platform's folder.

    Raises InvalidArgument for files in a folder that is not there, which waiting would not bring.
    """
    own = PlatformFolder(folder.expanduser().absolute(), lock=-1)
    elsewhere = {name: operator.services.database_url(name) for name in FIXED_SERVICES}
    if not all(elsewhere.values()) and not own.path.is_dir():
        raise InvalidArgument(
            f"there is no folder {own.path}, where the databases would be",
            field="data",
            mend="Name the platform's folder with --data, or the database in the operator's file.",
        )
    return {name: url or own.database_url(name) for name, url in elsewhere.items()}


def package_of(service: str) -> str:
    """The migrations of a service."""
    return f"flyteplane.{service}.store.migrations"


async def await_schemas(
    urls: Mapping[str, str], *, wait_for_job: bool, clock: TimerClock, patience_s: float = PATIENCE_S
) -> None:
    """Return once this build may open every database of `urls`, by service.

    Args:
        wait_for_job: whether an older schema is another's to change.

    Raises:
        FailedPrecondition: SCHEMA_FROM_THE_FUTURE; or SCHEMA_TOO_OLD, when no job has come for `patience_s`.
        Unavailable, PermissionDenied: a database cannot be reached or read.
    """
    until = clock.monotonic() + patience_s
    for service, url in urls.items():
        async with _opened(service, url, clock=clock, until=until) as database:
            await _await_schema(service, database, wait_for_job=wait_for_job, clock=clock, until=until)


async def _await_schema(
    service: str, database: Database, *, wait_for_job: bool, clock: TimerClock, until: float
) -> None:
    from flyteplane.records.migrate import SchemaAge, schema_state

    told = False
    while True:
        state = await schema_state(database, package=package_of(service))
        state.refuse_incompatible()
        if state.age is SchemaAge.NEWER:
            _log.warning("schema_is_newer", service=service, problem=_text(service, state))
        if state.age is not SchemaAge.OLDER or not wait_for_job:
            return
        if not told:
            _log.warning("waiting_for_migration_job", service=service, problem=_text(service, state))
            told = True
        if clock.monotonic() >= until:
            raise FailedPrecondition(
                f"{_text(service, state)}, and no job has brought it up to date",
                reason="SCHEMA_TOO_OLD",
                field="services.migrate",
                mend="Run `python -m flyteplane.launcher migrate`, or set services.migrate to automatic.",
            )
        await clock.sleep(_PAUSE_S)


async def migrate_all(urls: Mapping[str, str], *, clock: TimerClock, patience_s: float = PATIENCE_S) -> Sequence[str]:
    """Bring every database of `urls` to the schema of this build; returns what was done, a line each.

    Raises what `await_schemas` does.
    """
    from flyteplane.records.migrate import SchemaAge, migrate, schema_state

    until, lines = clock.monotonic() + patience_s, []
    for service, url in urls.items():
        async with _opened(service, url, clock=clock, until=until) as database:
            before = await schema_state(database, package=package_of(service))
            before.refuse_incompatible()
            await migrate(database, package=package_of(service))
            after = await schema_state(database, package=package_of(service))
            done = f"brought from {before.found or 'nothing'} to {after.found}"
            lines.append(f"{service}: {done}" if before.age is SchemaAge.OLDER else _text(service, after))
    return lines


async def check_all(
    urls: Mapping[str, str], *, clock: TimerClock, patience_s: float = PATIENCE_S
) -> tuple[bool, list[str]]:
    """Whether there is nothing to migrate and this build may work on every database; and a line for each."""
    from flyteplane.records.migrate import SchemaAge, schema_state

    until, fine, lines = clock.monotonic() + patience_s, True, []
    for service, url in urls.items():
        async with _opened(service, url, clock=clock, until=until) as database:
            state = await schema_state(database, package=package_of(service))
            fine = fine and state.age in (SchemaAge.CURRENT, SchemaAge.NEWER)
            lines.append(_text(service, state))
    return fine, lines


@asynccontextmanager
async def _opened(service: str, url: str, *, clock: TimerClock, until: float) -> AsyncIterator[Database]:
    """The database of a service, once it can be reached. Raises what keeps it from that for good, or too long."""
    database = await _reached(service, url, clock=clock, until=until)
    try:
        yield database
    finally:
        await database.close()


async def _reached(service: str, url: str, *, clock: TimerClock, until: float) -> Database:
    from flyteplane.records import open_database

    while True:
        try:
            left_s = max(until - clock.monotonic(), 0.0)
            return await open_database(url, readers=1, patience_s=min(left_s, _CONNECT_S))
        except Unavailable as error:
            if clock.monotonic() >= until:
                raise
            _log.warning("waiting_for_database", service=service, problem=error.public_text)
            await clock.sleep(_PAUSE_S)


def _text(service: str, state: SchemaState) -> str:
    found = f"has schema {state.found}" if state.found else "has no schema yet"
    return f"{service}: {state.name} {found}, this build is made for {state.head} ({state.age.value})"


def run_job(urls: Mapping[str, str], *, check: bool, clock: TimerClock, patience_s: float = PATIENCE_S) -> int:
    """The program of the job; returns its exit code: 0 for schemas that are as they should be, 1 for all else."""
    try:
        if check:
            fine, lines = asyncio.run(check_all(urls, clock=clock, patience_s=patience_s))
        else:
            fine, lines = True, list(asyncio.run(migrate_all(urls, clock=clock, patience_s=patience_s)))
    except PlatformError as error:
        print(f"migrate: {' '.join(error.public_text.split())}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0 if fine else 1
