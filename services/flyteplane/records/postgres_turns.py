"""Write transactions take turns, over all processes that share a schema.

The lock is an advisory one that ends with its transaction, so a write transaction sees everything that was committed
before it began, and sequences grow in the order of commits: what stores rely on under SQLite holds here too. For that
each statement has to see what is committed, as every session asks for whatever the database's own default is.

A process that was stopped in the middle of a transaction would hold the lock for ever. The server ends a session that
stands still between two commands by itself; in the middle of a command it does not, so whoever waits ends it.
"""

import zlib
from typing import Final

from flyteplane.observe import get_logger
from flyteplane.records.postgres_failures import NOT_ALLOWED, sqlstate
from flyteplane.records.postgres_session import STANDSTILL_S, Session

_log = get_logger("records")

#: Distinguishes our locks from those of other programs: "flyt".
_KIND: Final = 0x666C7974

#: Ends sessions that hold the lock while the server has been waiting for their process.
_END_STANDING: Final = """
SELECT a.pid, pg_terminate_backend(a.pid)
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid
  AND a.wait_event_type = 'Client'
  AND clock_timestamp() - greatest(a.state_change, a.query_start) > $3::float8 * interval '1 second'
"""


class Turns:
    """The turns of one schema."""

    def __init__(self, schema: str) -> None:
        self._number = zlib.crc32(schema.encode())
        signed = self._number - (1 << 32) if self._number >= 1 << 31 else self._number
        self.wait: Final = f"SELECT pg_advisory_xact_lock({_KIND}, {signed})"
        """Waits for the lock, until the session's lock_timeout."""

    async def end_standing(self, session: Session) -> None:
        """End whoever holds the lock and has stood still; `session` is in no transaction."""
        try:
            ended = await session.driver.fetch(_END_STANDING, _KIND, self._number, STANDSTILL_S)
        except Exception as error:
            if sqlstate(error) != NOT_ALLOWED:
                raise
            _log.warning("standing_session_of_another_user", mend="End its transaction: this user may not.")
            return
        if ended:
            _log.warning("standing_session_ended", pid=ended[0][0], stood_still_s=STANDSTILL_S)
