"""Secret bytes of the platform that are made once and kept in the database."""

from sqlalchemy import Connection, insert, select

from flyteplane.admin.store.tables import platform_keys


def ensure_key(connection: Connection, name: str, *, fresh: bytes) -> bytes:
    """The key called `name`; it becomes `fresh` if there is none yet."""
    found = connection.execute(select(platform_keys.c.value).where(platform_keys.c.name == name)).scalar_one_or_none()
    if found is not None:
        return bytes(found)
    connection.execute(insert(platform_keys).values(name=name, value=fresh))
    return fresh
