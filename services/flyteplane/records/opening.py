"""Opening the database of a service: reached, at the schema of this build, and claimed by whoever leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from flyteplane.records.database import open_database
from flyteplane.records.fencing import fence
from flyteplane.records.migrate import migrate

if TYPE_CHECKING:
    from flyteplane.records.database import Database


async def open_migrated(url: str, *, package: str, epoch: int | None = None) -> Database:
    """Open a service's database and bring it to the schema of its migrations package.

    Args:
        epoch: of the leadership under which it is written, see `fence`; None for a process that nobody can replace.

    Raises what `open_database`, `migrate` and `fence` do.
    """
    database = await open_database(url)
    try:
        await migrate(database, package=package)
        return database if epoch is None else await fence(database, package=package, epoch=epoch)
    except BaseException:
        await database.close()
        raise


async def ask(database: Database) -> None:
    """Return once the database has answered a question. Raises Unavailable when it does not."""
    await database.read(lambda connection: connection.execute(select(1)).scalar())
