"""What an error of PostgreSQL means, by its SQLSTATE.

Nothing here needs the driver: an error is known by the code that it carries. Codes that are not listed are the fault
of a work, such as a violated constraint, and stay what they are.
"""

from collections.abc import Iterator
from typing import Final

from flyteplane.foundation.errors import (
    OUTCOME_UNKNOWN,
    DataLoss,
    FailedPrecondition,
    PermissionDenied,
    PlatformError,
    Unavailable,
)

#: The transaction lost against another one.
_LOST: Final = frozenset({"40001", "40P01"})
#: The server ended the session before the transaction was committed.
STOOD_STILL: Final = "25P03"
_CUT_OFF: Final = frozenset({STOOD_STILL, "57P01", "57P02", "57P03"})
#: The server may be up again in a moment, or have room for one more.
_NOT_YET: Final = frozenset({"57P01", "57P02", "57P03", "53300"})
LOCK_TIMEOUT: Final = "55P03"
NOT_ALLOWED: Final = "42501"
#: What the driver calls a statement that it prepared before another process changed the schema.
_OUTDATED: Final = "InvalidCachedStatementError"
_CONNECTION_CLASS: Final = "08"
_LOGIN_CLASS: Final = "28"

_Told = tuple[type[PlatformError], str, str, str]
#: The reason of a server that does not answer.
UNREACHABLE: Final = "STORE_UNREACHABLE"
_UNREACHABLE: Final[_Told] = (
    Unavailable,
    UNREACHABLE,
    "{name} cannot be reached",
    "Check that the server runs and that host and port are right.",
)
_LOGIN: Final[_Told] = (
    PermissionDenied,
    "STORE_LOGIN_REFUSED",
    "{name} refused the login",
    "Check user, password and certificate (sslcert, sslkey) of the database URL, and the server's rules of access.",
)
_BY_CODE: Final[dict[str, _Told]] = {
    "25006": (Unavailable, "STORE_READ_ONLY", "{name} cannot be written", "Connect to the primary server."),
    STOOD_STILL: (Unavailable, "STORE_PAUSED", "{name} ended a transaction that stood still", "Try again."),
    "3D000": (FailedPrecondition, "STORE_NO_DATABASE", "{name} does not exist", "Create it, in UTF-8."),
    "3F000": (FailedPrecondition, "STORE_NO_SCHEMA", "{name} has no such schema", "Create the schema."),
    "40001": (Unavailable, "STORE_CONFLICT", "{name} refused a transaction beside others", "Try again."),
    "40P01": (Unavailable, "STORE_CONFLICT", "{name} broke a deadlock", "Try again."),
    NOT_ALLOWED: (
        PermissionDenied,
        "STORE_NOT_ALLOWED",
        "the user of {name} may not do this",
        "Make the user the owner of the database, or of its schema.",
    ),
    "53100": (Unavailable, "STORE_FULL", "the disk of {name} is full", "Free some space; nothing was changed."),
    "53200": (Unavailable, "STORE_NO_MEMORY", "no memory is left for {name}", "Give the server more memory."),
    "53300": (
        Unavailable,
        "STORE_CROWDED",
        "{name} takes no more connections",
        "Raise max_connections of the server, or run fewer processes.",
    ),
    LOCK_TIMEOUT: (Unavailable, "STORE_LOCKED", "{name} is locked by another process", "Try again."),
    "57014": (Unavailable, "STORE_SLOW", "{name} took too long", "Try again; check the load of the server."),
    "57P01": _UNREACHABLE,
    "57P02": _UNREACHABLE,
    "57P03": (Unavailable, "STORE_UNREACHABLE", "{name} is starting or stopping", "Try again."),
    "58030": (Unavailable, "STORE_IO", "reading or writing {name} failed", "Check the disk of the server."),
    "XX001": (DataLoss, "STORE_CORRUPT", "{name} is damaged", "Restore a backup."),
    "XX002": (DataLoss, "STORE_CORRUPT", "an index of {name} is damaged", "Rebuild its indexes."),
}


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE that an error of the server, or one made from it, carries; "" for any other error."""
    for one in origins(error):
        code = getattr(one, "sqlstate", None)
        if isinstance(code, str):
            return code
    return ""


def postgres_failure(error: BaseException, *, name: str) -> PlatformError | None:
    """The public error for a failure of the store `name`; None when `error` is not one."""
    code = sqlstate(error)
    told = _BY_CODE.get(code)
    if told is None and code.startswith(_CONNECTION_CLASS):
        told = _UNREACHABLE
    if told is None and code.startswith(_LOGIN_CLASS):
        told = _LOGIN
    return _public(told, name) if told is not None else None


def unreachable(name: str) -> PlatformError:
    """The public error for a server that does not answer."""
    return _public(_UNREACHABLE, name)


def outcome_unknown(name: str) -> PlatformError:
    """The public error for a commit whose answer was lost."""
    return Unavailable(
        f"{name} was lost during a commit; whether it was stored is unknown",
        reason=OUTCOME_UNKNOWN,
        mend="Read what is stored before anything is repeated.",
    )


def did_nothing(error: BaseException) -> bool:
    """Whether a transaction that failed with `error` before its commit was sent may be run again at once."""
    code = sqlstate(error)
    if code in _LOST or code in _CUT_OFF or code.startswith(_CONNECTION_CLASS):
        return True
    return any(type(one).__name__ == _OUTDATED for one in origins(error))


def refused_for_good(error: BaseException) -> bool:
    """Whether trying to connect again is of no use: the server answered, and said no."""
    code = sqlstate(error)
    return bool(code) and code not in _NOT_YET and not code.startswith(_CONNECTION_CLASS)


def origins(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from: SQLAlchemy wraps the errors of its adapter, which wraps the driver's."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = getattr(one, "orig", None) or one.__cause__


def _public(told: _Told, name: str) -> PlatformError:
    kind, reason, message, mend = told
    return kind(message.format(name=name), reason=reason, mend=mend)
