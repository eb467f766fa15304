"""Phases of an action and what the cache did for it. Numbers are those of `flyteapi.common.v1`, so that they need no
table."""

from enum import IntEnum
from typing import Final

from flyte.spec.child_names import ROOT_ACTION


class Phase(IntEnum):
    """Where an action stands. Terminal phases are entered once and never left."""

    QUEUED = 1
    WAITING_FOR_RESOURCES = 2
    INITIALIZING = 3
    RUNNING = 4
    SUCCEEDED = 5
    FAILED = 6
    ABORTED = 7
    TIMED_OUT = 8

    @property
    def terminal(self) -> bool:
        """True once nothing can change any more."""
        return self >= Phase.SUCCEEDED

    @property
    def placed(self) -> bool:
        """True while there is an attempt: its worker is asked for, being started, or at work."""
        return self in (Phase.WAITING_FOR_RESOURCES, Phase.INITIALIZING, Phase.RUNNING)


class CacheStatus(IntEnum):
    """What the cache did for an action."""

    NONE = 0
    HIT = 1
    MISS = 2
    STORED = 3
    SKIPPED = 4
    FAILED = 5


#: Name of the root action of every run.
ROOT: Final = ROOT_ACTION
