"""An attempt as the pool sees it: a lease that waits for a slot, holds one, lends one, or is over."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteplane.reuse_pool.domain.replica import Replica


class Stage(Enum):
    """Where an attempt stands. It moves forward only."""

    WAITING = "waiting"
    PLACED = "placed"
    STOPPING = "stopping"
    """Revoked; its code may still run."""
    ENDED = "ended"
    """Its code has ended; the scheduler has not acknowledged that yet."""
    OVER = "over"


class Slot(Enum):
    """What is out of the ordinary about the slot that an attempt was given, in words for people."""

    REGULAR = ""
    LENT = "in a slot that a waiting parent lent"
    OVERFLOW = "on an overflow replica, since parents wait in its pool"


@dataclass(slots=True, eq=False, kw_only=True)
class Attempt:
    """One lease. Changed only by the pool that it belongs to."""

    lease: int
    pool: str
    run: str
    action: str
    exclusive: bool
    """Never shares a replica: its code is synchronous, or it is under suspicion of taking replicas down."""
    stage: Stage = Stage.WAITING
    awaited: bool = False
    """An attempt that holds a slot waits for this one."""
    replica: "Replica | None" = None
    slot: Slot = Slot.REGULAR
    calls: dict[int, str] = field(default_factory=dict)
    """Children that this attempt waits for: action name by call number."""
    stop_by: float = float("inf")
    """When the replica is killed if a revoked attempt has not ended."""
