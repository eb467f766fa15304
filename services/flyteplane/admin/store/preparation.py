"""What the database needs before the service can use it: the schema of this build, and what always exists."""

from typing import Final

from sqlalchemy import Connection

from flyteplane.admin.store.keys import ensure_key
from flyteplane.admin.store.projects import ensure_default_project
from flyteplane.records import Database, migrate

_MIGRATIONS: Final = "flyteplane.admin.store.migrations"
_PAGE_TOKEN_KEY: Final = "page-tokens"


async def prepare(database: Database, *, now_us: int, fresh_key: bytes) -> bytes:
    """Migrate, make the default project, and return the key of page tokens, which is `fresh_key` the first time.

    Raises FailedPrecondition for a database of a newer build, Unavailable for one that cannot be written.
    """
    await migrate(database, package=_MIGRATIONS)

    def work(connection: Connection) -> bytes:
        ensure_default_project(connection, now_us=now_us)
        return ensure_key(connection, _PAGE_TOKEN_KEY, fresh=fresh_key)

    return await database.write(work)
