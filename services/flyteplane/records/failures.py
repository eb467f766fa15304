"""What a failure of the database means to those who wait for it.

Only failures of the store itself are translated here: the disk is full, the file is locked, the server is away.
Anything that a work did wrong, such as a violated constraint or a misspelt column, stays what it is.
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

from flyteplane.foundation.errors import DataLoss, PlatformError, Unavailable
from flyteplane.records.postgres_failures import postgres_failure

_PRIMARY_CODE: Final = 0xFF

#: SQLite primary result code -> reason, what happened, what to do.
_SQLITE: Final = {
    sqlite3.SQLITE_FULL: ("STORE_FULL", "the disk or quota of {name} is full", "Free some space; nothing was changed."),
    sqlite3.SQLITE_BUSY: (
        "STORE_LOCKED",
        "{name} is locked by another process",
        "Stop the other process, or try again.",
    ),
    sqlite3.SQLITE_LOCKED: ("STORE_LOCKED", "{name} is locked", "Try again."),
    sqlite3.SQLITE_READONLY: ("STORE_READ_ONLY", "{name} cannot be written", "Make file and folder writable."),
    sqlite3.SQLITE_PERM: ("STORE_READ_ONLY", "{name} may not be opened", "Grant access to file and folder."),
    sqlite3.SQLITE_CANTOPEN: (
        "STORE_CANNOT_OPEN",
        "{name} cannot be opened or created",
        "Check that its folder exists and that file and folder are writable.",
    ),
    sqlite3.SQLITE_IOERR: ("STORE_IO", "reading or writing {name} failed", "Check the disk."),
    sqlite3.SQLITE_NOMEM: ("STORE_NO_MEMORY", "no memory is left for {name}", "Give the process more memory."),
    sqlite3.SQLITE_INTERRUPT: ("STORE_INTERRUPTED", "work on {name} was interrupted", "Try again."),
}
_SQLITE_DAMAGED: Final = {
    sqlite3.SQLITE_NOTADB: (
        "STORE_NOT_A_DATABASE",
        "{name} is not a database",
        "Name another file or restore a backup.",
    ),
    sqlite3.SQLITE_CORRUPT: ("STORE_CORRUPT", "{name} is damaged", "Restore a backup."),
}


def store_failure(error: BaseException, *, name: str) -> PlatformError | None:
    """The public error for a failure of the store `name`; None when `error` is not one."""
    if isinstance(error, PlatformError):
        return None
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if not isinstance(error, sqlite3.Error):
        return postgres_failure(error, name=name)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    code &= _PRIMARY_CODE
    if code in _SQLITE:
        reason, message, mend = _SQLITE[code]
        return Unavailable(message.format(name=name), reason=reason, mend=mend)
    if code in _SQLITE_DAMAGED:
        reason, message, mend = _SQLITE_DAMAGED[code]
        return DataLoss(message.format(name=name), reason=reason, mend=mend)
    return None
