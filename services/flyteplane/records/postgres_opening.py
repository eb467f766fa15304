"""Opening a PostgreSQL database: waiting for a server that is not up yet, and looking at what is there.

A server that is away is waited for up to a bound, as all parts of a deployment start at once. One that answers and
says no, because of the password for example, is believed.
"""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.records.failures import store_failure
from flyteplane.records.postgres_address import PostgresAddress
from flyteplane.records.postgres_certificates import certificate_refused, check_certificates
from flyteplane.records.postgres_failures import UNREACHABLE, refused_for_good, unreachable
from flyteplane.records.postgres_session import Session, Sessions, quoted
from flyteplane.records.postgres_turns import Turns

_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5)
_LOOK: Final = "SELECT current_setting('server_encoding'), current_schema()"


def pauses() -> Iterator[float]:
    """Seconds to wait before each further attempt; the last pause repeats."""
    return itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1]))


async def open_sessions(address: PostgresAddress, *, lock_wait_s: float, patience_s: float) -> tuple[Sessions, str]:
    """Connect to the server at `address`, and make its schema if it is missing.

    Returns:
        what opens sessions, and the schema that their tables are in.

    Raises:
        InvalidArgument: the URL does not suit the driver.
        Unavailable: the server could not be reached for `patience_s`.
        PermissionDenied, FailedPrecondition: the server refuses us, or we it for its certificate, or the database is
            missing or unsuitable.
    """
    check_certificates(address)
    sessions = Sessions(address, lock_wait_s=lock_wait_s)
    try:
        session = await _first(sessions, address, patience_s=patience_s)
        try:
            return sessions, await _schema(session, address)
        except Exception as error:
            public = store_failure(error, name=address.name)
            if public is None:
                raise
            raise public from error
        finally:
            await session.close()
    except BaseException:
        await sessions.close()
        raise


async def _first(sessions: Sessions, address: PostgresAddress, *, patience_s: float) -> Session:
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    for pause in pauses():
        try:
            return await sessions.open()
        except Exception as error:
            if (disbelieved := certificate_refused(error, address)) is not None:
                raise disbelieved from error
            if _is_about_the_url(error):
                # Without the cause: its text may repeat the URL.
                raise InvalidArgument(
                    "the parameters of the database URL do not suit PostgreSQL", reason="DATABASE_URL", field="url"
                ) from None
            public = store_failure(error, name=address.name) or unreachable(address.name)
            if public.reason == UNREACHABLE and "sslcert" in address.certificates:
                public.mend += " A server that does not know the authority of sslcert hangs up as well."
            if refused_for_good(error) or loop.time() + pause > until:
                raise public from error
        await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")


async def _schema(session: Session, address: PostgresAddress) -> str:
    encoding, schema = await session.driver.fetchrow(_LOOK) or ("", None)
    if encoding != "UTF8":
        raise FailedPrecondition(
            f"{address.name} keeps text as {encoding}",
            reason="STORE_ENCODING",
            mend="Create the database with ENCODING 'UTF8' TEMPLATE template0.",
        )
    if schema is not None:
        return str(schema)
    if not address.schema:
        raise FailedPrecondition(
            f"{address.name} has no schema that its user may use",
            reason="STORE_NO_SCHEMA",
            mend="Name one in the database URL, as in ?schema=scheduler.",
        )
    await session.begin(f"; {Turns(address.schema).wait}; CREATE SCHEMA IF NOT EXISTS {quoted(address.schema)}")
    await session.commit()
    return address.schema


def _is_about_the_url(error: Exception) -> bool:
    # The driver's errors of configuration are ValueErrors; SQLAlchemy may have wrapped them.
    original = getattr(error, "orig", None) or error
    return isinstance(original, ValueError) or isinstance(original.__cause__, ValueError)
