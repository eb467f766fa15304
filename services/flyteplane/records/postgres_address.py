"""What a PostgreSQL URL says: where to connect, as whom, and which schema to use.

The URL is the one of libpq, so `sslmode`, `sslrootcert`, `target_session_attrs` and a socket folder as `host` work as
they do for psql. One parameter is ours: `schema`, so that several services can share a database. The password never
leaves the connection string: `name` is what people get to see.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import URL

from flyteplane.foundation.errors import InvalidArgument

POSTGRES_DRIVERS: Final = frozenset({"postgresql", "postgresql+asyncpg", "postgres"})
_SCHEMA: Final = "schema"
_DRIVER: Final = "postgresql"
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_OF_THE_SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a database is.

    Attributes:
        connection_string: for the driver, with the password.
        name: for people, without it.
        host: a host name or the folder of a socket; "" for the driver's default.
        database: its name; "" for the driver's default, the user's name.
        schema: the schema for all tables; "" for the first one of the user's search path.
        certificates: the files of certificates and keys, by the parameter that names them.
        key_has_password: the key is encrypted, and the URL says with what.
    """

    connection_string: str = field(repr=False)
    name: str
    host: str
    database: str
    schema: str
    certificates: Mapping[str, str] = field(default_factory=dict)
    key_has_password: bool = False


def postgres_address(url: URL) -> PostgresAddress:
    """Take a URL apart. Raises InvalidArgument when a parameter is given twice."""
    host = url.host or _single(url, "host")
    schema = _single(url, _SCHEMA)
    plain = url.set(drivername=_DRIVER).difference_update_query([_SCHEMA])
    database = url.database or _single(url, "database") or _single(url, "dbname")
    place = f"{host}:{url.port}" if url.port else host or "its default place"
    inside = f", schema {schema!r}" if schema else ""
    return PostgresAddress(
        connection_string=plain.render_as_string(hide_password=False),
        name=f"the PostgreSQL database {database!r} at {place}{inside}",
        host=host,
        database=database,
        schema=schema,
        certificates={name: path for name in _FILES if (path := _single(url, name)) and path != _OF_THE_SYSTEM},
        key_has_password=bool(_single(url, "sslpassword")),
    )


def _single(url: URL, name: str) -> str:
    value = url.query.get(name, "")
    if not isinstance(value, str):
        raise InvalidArgument(
            f"the database URL names {name!r} more than once",
            reason="DATABASE_URL",
            field="url",
            mend="Give several hosts in one parameter, as in host=one,two.",
        )
    return value
