"""The memory of the service: pools, sessions and leases, shared by the two sides of the relay."""

from collections import Counter

from flyteplane.foundation.absent import SHORTEST_POOL_PREFIX, absent_pool
from flyteplane.foundation.bell import Bell
from flyteplane.foundation.clock import TimerClock
from flyteplane.reuse_pool.application.catalogue import Catalogue
from flyteplane.reuse_pool.application.outbox import Outbox
from flyteplane.reuse_pool.application.sessions import Held, OpenPool, Session
from flyteplane.reuse_pool.domain.blame import BlameLedger
from flyteplane.reuse_pool.domain.call_graph import CallGraph
from flyteplane.reuse_pool.domain.policy import PoolSettings


class Registry:
    """All that lives. Belongs to one event loop."""

    def __init__(self, settings: PoolSettings, *, clock: TimerClock) -> None:
        self.settings = settings
        self.pools: dict[str, OpenPool] = {}
        self.sessions: dict[str, Session] = {}
        self.held: dict[int, Held] = {}
        self.catalogue = Catalogue()
        self.graph = CallGraph()
        self.blame = BlameLedger(kills_to_quarantine=settings.kills_to_quarantine)
        self.outbox: Outbox | None = None
        """To the scheduler; None while no stream is open."""
        self.unheard = Outbox()
        """What ended while no stream was open."""
        self.to_flush: dict[Session, None] = {}
        self.past: Counter[str] = Counter()
        """What pools that are gone have counted."""
        self.figures_changed = Bell(clock)
        """Rings when figures of pools may be others than before."""
        self.continued: Counter[str] = Counter()
        """What was taken over from an earlier life of the service."""

    @property
    def ends(self) -> Outbox:
        """Where it is said that a lease has ended here: nobody else will ever say it again."""
        return self.outbox or self.unheard

    def flush(self) -> None:
        """End a turn: send the orders that queued in it, one batch for each replica; figures may be others now."""
        self.figures_changed.ring()
        if not self.to_flush:
            return
        sessions, self.to_flush = self.to_flush, {}
        for session in sessions:
            orders, session.orders = session.orders, []
            # A replica that is out of reach is told again when it comes back.
            if session.channel is not None:
                session.channel.send(orders)

    def pool(self, name: str) -> OpenPool:
        """A living pool by its name or a unique prefix of at least 8 characters. Raises NotFound."""
        found = self.pools.get(name)
        if found is not None:
            return found
        matching = [pool for key, pool in self.pools.items() if key.startswith(name)]
        if len(name) < SHORTEST_POOL_PREFIX or len(matching) != 1:
            raise absent_pool(name, several=len(matching) > 1)
        return matching[0]
