"""Whether a process lives, and whether it is of use: what `/live` and `/ready` answer beside the metrics.

    live     its loop turns, and none of its services has failed
    ready    it also reaches its stores and, for each service that it carries, whoever leads that (itself, perhaps);
             and nobody has told it to stop

A process that is not live should be started again. One that is not ready should be sent no clients; starting it again
helps nobody, as what it misses is elsewhere. A service without a leader is not missed at once: an election takes the
length of a lease, and a process that waits for it answers its callers better than nobody would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination
    from flyteplane.foundation.clock import Clock
    from flyteplane.records import Database
    from flyteplane.rpc.leader_channel import LeaderChannel

#: A store that has not answered in this time counts as away.
ANSWER_WITHIN_S: Final = 2.0
#: An election takes some moments more than the lease of the leader that died.
ELECTION_S: Final = 5.0
#: Never written; asking for it shows that the store answers.
_ASKED_KEY: Final = "health"


class Need(Protocol):
    """Something that a process needs to be of use."""

    async def missed(self) -> str:
        """What is missing, for people; empty if nothing is. Returns within some seconds, and raises nothing."""


class Health:
    """What a process says of itself. Belongs to its loop.

    Args:
        failed: why a service cannot go on; empty while all can.
    """

    def __init__(self, needs: Sequence[Need] = (), *, failed: Callable[[], str] = lambda: "") -> None:
        self._needs = needs
        self._failed = failed
        self._stopping = False

    def stop(self) -> None:
        """The process was told to stop: it is not ready from now on."""
        self._stopping = True

    async def live(self) -> str:
        """Why it is of no use to wait for this process any longer; empty if it is well."""
        return self._failed()

    async def ready(self) -> str:
        """Why this process should be sent nobody; empty if it should."""
        if problem := self._failed() or ("it was told to stop" if self._stopping else ""):
            return problem
        missed = await asyncio.gather(*(need.missed() for need in self._needs))
        return "; ".join(filter(None, missed))


class DatabaseAnswers:
    """The database at a URL can be read. It is connected to when somebody first asks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Database | None = None
        self._one_at_a_time = asyncio.Lock()

    async def missed(self) -> str:
        """See `Need`."""
        from flyteplane.records import open_database
        from flyteplane.records.opening import ask

        try:
            async with asyncio.timeout(ANSWER_WITHIN_S), self._one_at_a_time:
                if self._database is None:
                    self._database = await open_database(self._url, readers=1, busy_timeout_s=1.0, patience_s=1.0)
                await ask(self._database)
        except PlatformError as error:
            return error.public_text
        except TimeoutError:
            return f"the database has not answered within {ANSWER_WITHIN_S:g} s"
        return ""

    async def close(self) -> None:
        """Let go of the connection."""
        if self._database is not None:
            await self._database.close()


class CoordinationAnswers:
    """The coordination store can be read."""

    def __init__(self, coordination: Coordination) -> None:
        self._coordination = coordination

    async def missed(self) -> str:
        """See `Need`."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._coordination.get(_ASKED_KEY)
        except PlatformError as error:
            return error.public_text
        except TimeoutError:
            return f"the coordination store has not answered within {ANSWER_WITHIN_S:g} s"
        return ""


class LeadersAnswer:
    """Each of some services has a leader that can be connected to.

    Args:
        channels: to the services, by name.
        patience_s: how long a service that had a leader may be without one.
    """

    def __init__(self, channels: Mapping[str, LeaderChannel], *, clock: Clock, patience_s: float) -> None:
        self._channels = channels
        self._clock = clock
        self._patience_s = patience_s
        self._seen_at: dict[str, float] = {}

    async def missed(self) -> str:
        """See `Need`."""
        missed = await asyncio.gather(*(self._missed(name) for name in self._channels))
        return "; ".join(filter(None, missed))

    async def _missed(self, name: str) -> str:
        import grpc

        try:
            await self._channels[name].ready(left_s=ANSWER_WITHIN_S / 2)
        except grpc.aio.AioRpcError:
            seen_at = self._seen_at.get(name)
            if seen_at is None or self._clock.monotonic() - seen_at > self._patience_s:
                return f"nobody is known to lead {name}, or it cannot be reached"
            return ""
        self._seen_at[name] = self._clock.monotonic()
        return ""
