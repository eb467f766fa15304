"""What a migrated database needs before the service can use it: what always exists."""

from typing import Final

from sqlalchemy import Connection

from flyteplane.admin.store.keys import ensure_key
from flyteplane.admin.store.projects import ensure_default_project
from flyteplane.records import Database

MIGRATIONS: Final = "flyteplane.admin.store.migrations"
_PAGE_TOKEN_KEY: Final = "page-tokens"


async def prepare(database: Database, *, now_us: int, fresh_key: bytes) -> bytes:
    """Make the default project, and return the key of page tokens, which is `fresh_key` the first time.

    Raises Unavailable for a database that cannot be written.
    """

    def work(connection: Connection) -> bytes:
        ensure_default_project(connection, now_us=now_us)
        return ensure_key(connection, _PAGE_TOKEN_KEY, fresh=fresh_key)

    return await database.write(work)
