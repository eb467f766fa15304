"""What a pool is asked to do by its user, and the limits that its operator sets."""

from dataclasses import dataclass
from typing import Final

from flyte.spec.limits import MAX_REPLICAS, MAX_REUSE_CONCURRENCY
from flyteplane.foundation.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """The reuse policy of an environment, checked.

    Raises InvalidArgument for bounds that contradict each other.
    """

    min_replicas: int
    """Replicas that stay as long as the pool lives."""
    max_replicas: int
    """Replicas that work at the same time; 0 refuses every attempt."""
    concurrency: int = 1
    """Attempts that work at the same time on one replica."""
    idle_ttl_s: float = 30.0
    """The whole pool goes when it has had nothing to do for so long."""
    scaledown_ttl_s: float = 30.0
    """A replica beyond `min_replicas` goes when it has had nothing to do for so long."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_replicas <= self.max_replicas:
            raise InvalidArgument(
                f"min_replicas is {self.min_replicas} and max_replicas is {self.max_replicas}",
                field="min_replicas",
                limit="0 to max_replicas",
                mend="Give bounds with 0 <= min_replicas <= max_replicas.",
            )
        if self.max_replicas > MAX_REPLICAS:
            raise InvalidArgument(
                f"max_replicas is {self.max_replicas}",
                field="max_replicas",
                limit=f"at most {MAX_REPLICAS}",
                mend="Give fewer, and more concurrency if the tasks are async.",
            )
        if not 1 <= self.concurrency <= MAX_REUSE_CONCURRENCY:
            raise InvalidArgument(
                f"concurrency is {self.concurrency}", field="concurrency", limit=f"1 to {MAX_REUSE_CONCURRENCY}"
            )


_DAY_S: Final = 24 * 3600.0
#: What the operator may give, by field: the least and the most.
_BOUNDS: Final = {
    "lease_time_s": (0.1, 3600),
    "lease_margin_s": (0, 600),
    "start_timeout_s": (1, _DAY_S),
    "start_backoff_s": (0.01, 3600),
    "start_backoff_cap_s": (0.01, _DAY_S),
    "failed_starts": (1, 1000),
    "overflow_limit": (0, 1000),
    "overflow_idle_s": (0, _DAY_S),
    "lent_limit": (1, 100_000),
    "revoked_grace_s": (0, _DAY_S),
    "kills_to_quarantine": (1, 1000),
    "recycle_after_tasks": (1, 10**12),
    "recycle_after_s": (1, 365 * _DAY_S),
    "recycle_above_bytes": (0, 2**60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """What the operator may tune. Times in seconds.

    Raises InvalidArgument for a value that is out of bounds.
    """

    lease_time_s: float = 15.0
    """A replica that is not heard of for so long has stopped its work by itself."""
    lease_margin_s: float = 3.0
    """Added to the lease time before anyone else is given the work."""
    start_timeout_s: float = 300.0
    """A replica that has not said Hello for so long has failed to start."""
    start_backoff_s: float = 0.25
    """Pause after the first failed start; doubles with each further one."""
    start_backoff_cap_s: float = 30.0
    failed_starts: int = 5
    """After so many failed starts in a row, attempts that wait are refused."""
    overflow_limit: int = 32
    """Replicas beyond `max_replicas` that one pool may have while attempts wait for their children."""
    overflow_idle_s: float = 5.0
    """An overflow replica goes when it has had nothing to do for so long."""
    stall_s: float = 0.25
    """After all slots were held by waiting attempts for so long, presume that they wait for the backlog.

    Doubles with each overflow replica, up to `stall_cap_s`.
    """
    stall_cap_s: float = 60.0
    lent_limit: int = 1000
    """Attempts that may wait for their children on one replica."""
    revoked_grace_s: float = 15.0
    """After LeaseRevoked, an attempt that has not stopped in this time is ended with its replica."""
    kills_to_quarantine: int = 3
    """Replicas that one action may take down with it."""
    recycle_after_tasks: int = 1_000_000
    recycle_after_s: float = 24 * 3600.0
    recycle_above_bytes: int = 0
    """A replica with more resident memory is replaced; 0: never."""
    drain_exit_s: float = 10.0
    """A drained replica that has nothing left to do is stopped if it does not exit in this time."""
    stop_grace_s: float = 5.0
    """Between asking a replica's processes to end and killing them."""

    def __post_init__(self) -> None:
        for field, (least, most) in _BOUNDS.items():
            value = getattr(self, field)
            if not least <= value <= most:
                raise InvalidArgument(
                    f"{value:g} is out of bounds", field=field, limit=f"{least:g} to {most:g}", mend=""
                )
        if self.start_backoff_cap_s < self.start_backoff_s:
            raise InvalidArgument(
                f"{self.start_backoff_cap_s:g} is below start_backoff_s, which it bounds",
                field="start_backoff_cap_s",
                limit=f"at least {self.start_backoff_s:g}",
            )
