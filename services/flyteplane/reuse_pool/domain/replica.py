"""A warm worker as the pool sees it: how far it is, and what it carries."""

from dataclasses import dataclass, field
from enum import Enum

from flyteplane.reuse_pool.domain.attempt import Attempt


class ReplicaState(Enum):
    """How far a replica is. It moves forward only."""

    STARTING = "starting"
    WARM = "warm"
    DRAINING = "draining"
    """Finishes what it has and takes nothing new."""


@dataclass(slots=True, eq=False, kw_only=True)
class Replica:
    """One replica. Times are of the monotonic clock. Changed only by the pool that it belongs to."""

    name: str
    started_at: float
    heard_at: float
    overflow: bool = False
    adopted: bool = False
    """An earlier life of the service has started it."""
    returning: bool = False
    """It has worked for that life, and has its contact time to say Hello to this one."""
    drain_when_back: bool = False
    """It takes nothing new once it is back."""
    state: ReplicaState = ReplicaState.STARTING
    attempts: dict[int, Attempt] = field(default_factory=dict)
    """Attempts whose code may be running here."""
    unacknowledged: int = 0
    """Attempts that have ended here and whose end is not acknowledged."""
    running: int = 0
    """Attempts here that do not wait for children."""
    exclusive: bool = False
    """The attempt here shares with nobody."""
    reserved: bool = False
    """Is being emptied for an exclusive attempt."""
    idle_since: float = 0.0
    done: int = 0
    resident_bytes: int = 0
    process_id: int = 0
    position: int = -1
    """Kept by the roster: which shelf the replica stands on."""
    counted_active: bool = False
    """Kept by the roster."""
    counted_sharing: bool = False
    """Kept by the roster."""

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do."""
        return not self.attempts

    @property
    def empty(self) -> bool:
        """Whether it could exit without anything being lost."""
        return not self.attempts and not self.unacknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaEnd:
    """How a replica ended, as its cluster saw it."""

    exit_code: int = 0
    signal: int = 0
    out_of_memory: bool = False
    known: bool = True
    """False if nobody saw how it ended."""
    reason: str = ""
    """What its cluster knows beyond code and signal, UPPER_SNAKE: "POD_DELETED", "OUT_OF_DISK"."""
    taken_away: bool = False
    """By the infrastructure: none of its attempts is to blame."""
    for_good: bool = False
    """Another replica would end in the same way."""
    message: str = ""

    def describe(self) -> str:
        """The end in words, for people."""
        if not self.known:
            text = "is gone and nobody saw how"
        elif self.out_of_memory:
            text = "ran out of memory"
        elif self.reason:
            text = f"is gone ({self.reason})"
        elif self.signal:
            text = f"was killed by signal {self.signal}"
        else:
            text = f"exited with code {self.exit_code}"
        return f"{text}: {self.message}" if self.message else text
