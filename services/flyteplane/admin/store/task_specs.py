"""Task specs by digest: written once, whoever refers to them."""

from typing import Final

from sqlalchemy import Connection, bindparam, insert, select

from flyteplane.admin.store.tables import task_specs

_FIND: Final = select(task_specs.c.spec).where(task_specs.c.digest == bindparam("wanted"))


def find_spec(connection: Connection, digest: bytes) -> bytes | None:
    """A serialised spec, or None."""
    return connection.execute(_FIND, {"wanted": digest}).scalar_one_or_none()


def ensure_spec(connection: Connection, digest: bytes, spec: bytes) -> None:
    """Store a spec unless it is there."""
    there = connection.execute(select(task_specs.c.digest).where(task_specs.c.digest == digest)).first()
    if there is None:
        connection.execute(insert(task_specs).values(digest=digest, spec=spec))
