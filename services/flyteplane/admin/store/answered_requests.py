"""Requests that were answered, kept for a day in the transactions of what they asked for."""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from flyteplane.admin.store.tables import answered_requests
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.repetition import REQUESTS_KEPT_S, RequestMark, id_reused

_Table: Final = answered_requests


def is_repeated(connection: Connection, mark: RequestMark | None) -> bool | PlatformError:
    """Whether a request was answered before; the refusal of one whose id belongs to another."""
    if mark is None:
        return False
    content = connection.execute(select(_Table.c.content).where(_Table.c.mark == mark.name)).scalar_one_or_none()
    if content is None:
        return False
    return True if bytes(content) == mark.content else id_reused()


def note_answered(connection: Connection, mark: RequestMark | None, *, now_us: int) -> None:
    """Keep that a request is answered by this transaction, and forget what is old."""
    if mark is None:
        return
    connection.execute(delete(_Table).where(_Table.c.at_us < now_us - REQUESTS_KEPT_S * 1_000_000))
    connection.execute(insert(_Table).values(mark=mark.name, content=mark.content, at_us=now_us))
