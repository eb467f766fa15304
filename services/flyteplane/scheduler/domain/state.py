"""The state of one action, the events that may change it, and the effects that a change asks for.

All of them are values. Times are seconds since the epoch, because they are stored and must mean the same after a
restart.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from flyteplane.scheduler.domain.failures import Failure
from flyteplane.scheduler.domain.phases import CacheStatus, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """An attempt that is over."""

    attempt: int
    phase: Phase
    placed_at: float
    started_at: float
    ended_at: float
    worker: str
    failure: Failure | None
    cluster: str = ""
    resource_class: str = ""


class ActionState(NamedTuple):
    """Where an action stands. A named tuple: one is made for every change, and `_replace` is the quickest copy."""

    phase: Phase = Phase.QUEUED
    attempt: int = 0
    lease: int = 0
    """The attempt that may report; 0 while none is placed."""
    task_failures: int = 0
    system_failures: int = 0
    killed: int = 0
    created_at: float = 0.0
    queued_at: float = 0.0
    """When the present wait began."""
    placed_at: float = 0.0
    started_at: float = 0.0
    """Of the present attempt; 0 until it runs."""
    first_started_at: float = 0.0
    ended_at: float = 0.0
    not_before: float = 0.0
    """A retry waits until then; 0 once its delay has passed."""
    failure: Failure | None = None
    outputs: bytes | None = None
    """Serialised payload, once SUCCEEDED."""
    cache_status: CacheStatus = CacheStatus.NONE
    cached_from: str = ""
    reason: str = ""
    worker: str = ""
    note: str = ""
    """What is out of the ordinary about the worker of the present attempt; the reason of it once it runs."""
    cluster: str = ""
    """Where the present attempt was placed."""
    resource_class: str = ""
    """As what it was placed."""
    history: tuple[AttemptRecord, ...] = ()
    """Attempts before the present one."""


# --- events ---------------------------------------------------------------------------------------------------------
# Those that every attempt has are named tuples, which take half the time to make.


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayPassed:
    """The delay of a retry is over. Said by a timer: the wall clock may have been set back in the meantime."""

    at: float


class Placed(NamedTuple):
    """A worker is being found for a new attempt."""

    at: float
    lease: int
    cluster: str = ""
    resource_class: str = ""
    waits: bool = False
    """The cluster has yet to find room; processes have theirs by admission."""


class WorkerKnown(NamedTuple):
    """The worker of the attempt has a name."""

    lease: int
    worker: str
    note: str = ""
    """What is out of the ordinary about its place, for people; mostly empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The cluster says how the worker of the attempt comes along."""

    lease: int
    has_place: bool
    """It waits for room no longer; its containers are being made."""
    reason: str
    """For people; empty if all goes well."""


class Started(NamedTuple):
    """User code is about to be called."""

    at: float
    lease: int


class Succeeded(NamedTuple):
    """The attempt returned."""

    at: float
    lease: int
    outputs: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The attempt ended without a value."""

    at: float
    lease: int
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """A time of the policy has passed. `which` is "max_runtime", "max_queued_time" or "deadline"."""

    at: float
    which: str
    limit_s: float
    lease: int
    """Attempt that it was armed for; 0 for a wait and for the deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """Somebody ended the action."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInCache:
    """The cache has the outputs."""

    at: float
    outputs: bytes
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The platform cannot carry the action out."""

    at: float
    failure: Failure


Change = (
    DelayPassed
    | Placed
    | WorkerKnown
    | Progress
    | Started
    | Succeeded
    | Failed
    | TimedOut
    | Aborted
    | FoundInCache
    | Refused
)


# --- effects --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StopAttempt:
    """The worker of this lease must end; whatever it still says has no effect."""

    lease: int
    reason: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """The action waits again, until `not_before` at least; 0 means that it may go on at once."""

    not_before: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The action is terminal: answer its waiters, free its slot, end its subtree."""

    shared: ClassVar["Finish"]


Finish.shared = Finish()
Effect = StopAttempt | Requeue | Finish
