"""What a migrated database needs before the service can use it: what always exists."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from flyteplane.admin.store.keys import ensure_key
from flyteplane.admin.store.projects import ensure_default_project
from flyteplane.records import Database

MIGRATIONS: Final = "flyteplane.admin.store.migrations"
_PAGE_TOKEN_KEY: Final = "page-tokens"
_DERIVATION_KEY: Final = "api-keys"


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """Secret bytes of the platform, as old as its database."""

    page_tokens: bytes = field(repr=False)
    derivation: bytes = field(repr=False)
    """What API keys are derived with."""


async def prepare(database: Database, *, now_us: int, fresh: PlatformKeys) -> PlatformKeys:
    """Make the default project, and return the keys of the platform, which are `fresh` the first time.

    Raises Unavailable for a database that cannot be written.
    """

    def work(connection: Connection) -> PlatformKeys:
        ensure_default_project(connection, now_us=now_us)
        return PlatformKeys(
            ensure_key(connection, _PAGE_TOKEN_KEY, fresh=fresh.page_tokens),
            ensure_key(connection, _DERIVATION_KEY, fresh=fresh.derivation),
        )

    return await database.write(work)
