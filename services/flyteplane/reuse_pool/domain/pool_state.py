"""The state of one pool, and the few moves that keep its parts consistent.

The events that change it are functions in modules of their own: `attempt_events`, `replica_events`, `deadlines` and
`administration`. Each takes the state and the time, changes the state and returns the effects that follow from it.
"""

from dataclasses import dataclass, field
from typing import Final

from flyteplane.reuse_pool.domain.attempt import Attempt, Slot, Stage
from flyteplane.reuse_pool.domain.backlog import Backlog
from flyteplane.reuse_pool.domain.blame import BlameLedger
from flyteplane.reuse_pool.domain.call_graph import CallGraph
from flyteplane.reuse_pool.domain.policy import PoolPolicy, PoolSettings
from flyteplane.reuse_pool.domain.replica import Replica, ReplicaState
from flyteplane.reuse_pool.domain.roster import Roster

NEVER: Final = float("inf")


@dataclass(slots=True, eq=False, kw_only=True)
class PoolState:
    """One pool. Times are of the monotonic clock, in seconds."""

    name: str
    policy: PoolPolicy
    settings: PoolSettings
    graph: CallGraph
    blame: BlameLedger
    replica_prefix: str
    """Replicas are called by it and a number; no other pool, nor this one in another life, has the same."""
    idle_since: float
    roster: Roster = field(init=False)
    exclusive: Backlog = field(default_factory=Backlog)
    """Waiting attempts that share with nobody."""
    shared: Backlog = field(default_factory=Backlog)
    """Waiting attempts that may share a replica."""
    reserved: Replica | None = None
    """Is being emptied for the exclusive attempts that wait."""
    live: int = 0
    """Attempts that wait, hold a slot or are being stopped."""
    closing: bool = False
    """No replicas are kept; the pool goes with the last of them."""
    superseded: bool = False
    """A newer pool serves the environment: this one keeps no replicas without need."""
    replicas_named: int = 0
    failures: int = 0
    """Failed starts in a row."""
    failed_at: float = -NEVER
    start_not_before: float = -NEVER
    at_standstill: bool = False
    """Attempts wait, and every slot is held by one that waits for children."""
    stuck: bool = False
    """It stands still, and has no further overflow replica to start."""
    served: int = 0
    """Attempts that others waited for and that have left the backlog, as other pools were told last."""
    stalled_since: float = NEVER
    """Since when every slot is held by an attempt that waits, while nobody is known to wait for the backlog."""
    stopping: dict[int, Attempt] = field(default_factory=dict)
    """Revoked attempts whose replica is killed if they do not end."""
    trouble: str = ""
    placed: int = 0
    placed_warm: int = 0
    """Attempts that found a warm slot at once."""
    placed_in_lent_slots: int = 0
    overflow_started: int = 0
    replicas_lost: int = 0
    """Replicas that ended without having been asked to, and those that were given up."""
    deadlocks_refused: int = 0
    wake_at: float = NEVER
    """When `deadlines.tick` has to be called at the latest."""

    def __post_init__(self) -> None:
        self.roster = Roster(concurrency=self.policy.concurrency, lent_limit=self.settings.lent_limit)
        self.due(self.idle_since + self.policy.idle_ttl_s)

    @property
    def waiting(self) -> int:
        """Attempts that wait for a slot."""
        return len(self.exclusive) + len(self.shared)

    @property
    def awaited(self) -> int:
        """Those of them that somebody waits for."""
        return self.exclusive.awaited + self.shared.awaited

    @property
    def is_frugal(self) -> bool:
        """Whether so many overflow replicas are there that the rest is kept for what is deepest."""
        return 4 * len(self.roster.overflow) >= self.settings.overflow_limit

    @property
    def gone(self) -> bool:
        """Whether nothing is left of the pool."""
        return self.closing and not self.live and not self.roster.by_name

    @property
    def keeps_least(self) -> bool:
        """Whether `min_replicas` are kept."""
        return not self.closing and not self.superseded

    @property
    def draining(self) -> bool:
        """Whether the pool finishes what runs and then goes."""
        return self.closing

    def due(self, at: float) -> None:
        """Something may be due at that time."""
        self.wake_at = min(self.wake_at, at)

    def new_replica(self, *, now: float, overflow: bool) -> Replica:
        """Add a replica that is to be started."""
        self.replicas_named += 1
        kind = "-overflow" if overflow else ""
        name = f"{self.replica_prefix}{kind}-{self.replicas_named}"
        self.overflow_started += overflow
        replica = Replica(name=name, started_at=now, heard_at=now, idle_since=now, overflow=overflow)
        self.roster.add(replica)
        self.due(now + self.settings.start_timeout_s)
        return replica

    def backlog_for(self, attempt: Attempt) -> Backlog:
        """Where an attempt waits."""
        return self.exclusive if attempt.exclusive else self.shared

    def seat(self, attempt: Attempt, replica: Replica) -> None:
        """Give an attempt a slot of a replica that has one."""
        attempt.stage = Stage.PLACED
        attempt.replica = replica
        replica.attempts[attempt.lease] = attempt
        replica.running += 1
        replica.exclusive = attempt.exclusive
        self.roster.settle(replica)
        self.placed += 1
        if replica.overflow:
            attempt.slot = Slot.OVERFLOW
        elif len(replica.attempts) > self.policy.concurrency:
            attempt.slot = Slot.LENT
            self.placed_in_lent_slots += 1

    def unseat(self, attempt: Attempt, *, now: float) -> None:
        """Take the slot from an attempt whose code has ended. It keeps its replica for what is left to say."""
        replica = attempt.replica
        if replica is None:
            return
        del replica.attempts[attempt.lease]
        if not attempt.calls:
            replica.running -= 1
        if attempt.exclusive:
            replica.exclusive = False
        if not replica.attempts:
            replica.idle_since = now
            self.due(now + self._idle_time(replica))
        self.roster.settle(replica)

    def retire(self, attempt: Attempt, stage: Stage, *, now: float) -> None:
        """An attempt neither waits nor runs any more."""
        if attempt.stage is Stage.STOPPING:
            self.stopping.pop(attempt.lease, None)
        attempt.stage = stage
        self.graph.remove(attempt)
        self.live -= 1
        if not self.live:
            self.idle_since = now
            self.due(now + self.policy.idle_ttl_s)

    def _idle_time(self, replica: Replica) -> float:
        if replica.state is ReplicaState.DRAINING:
            return self.settings.drain_exit_s
        return self.settings.overflow_idle_s if replica.overflow else self.policy.scaledown_ttl_s
