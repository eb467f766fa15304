"""What a pool wants to be done. Its own state takes each of these as given; doing one twice is harmless."""

from typing import NamedTuple, TypeAlias

from flyteplane.reuse_pool.domain.attempt import Attempt
from flyteplane.reuse_pool.domain.replica import Replica


class Assign(NamedTuple):
    """Send the attempt to the replica and tell the scheduler."""

    attempt: Attempt
    replica: Replica


class Cancel(NamedTuple):
    """Ask the replica to stop the attempt."""

    attempt: Attempt
    replica: Replica
    reason: str


class Lose(NamedTuple):
    """Tell the scheduler that the attempt's replica is gone. The lease is over."""

    attempt: Attempt
    reason: str
    message: str
    culprit: bool = False
    exit_code: int = 0
    signal: int = 0


class Refuse(NamedTuple):
    """Tell the scheduler that the attempt will not be run here. The lease is over."""

    attempt: Attempt
    reason: str
    message: str
    retryable: bool


class Forget(NamedTuple):
    """A revoked lease is over: nothing runs under it any more. The scheduler is not told."""

    attempt: Attempt


class Start(NamedTuple):
    """Start the replica."""

    replica: Replica


class Drain(NamedTuple):
    """Tell the replica to finish what it has and to exit."""

    replica: Replica


class Stop(NamedTuple):
    """Stop the replica and everything that it started."""

    replica: Replica
    grace_s: float
    reason: str


class Recheck(NamedTuple):
    """Something is due in other pools, which wait for what has just happened in this one."""

    at: float


Effect: TypeAlias = Assign | Cancel | Lose | Refuse | Forget | Start | Drain | Stop | Recheck
