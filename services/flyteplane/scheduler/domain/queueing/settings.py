"""What an operator says of a queue.

A `QueueSettings` that exists is valid: making one checks it. Everything here holds for what is admitted next; no change
of it ends anything that runs.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.domain.queueing.checks import check_clusters, check_name, check_range

#: Bounds of priority; more is admitted earlier.
LEAST_PRIORITY: Final = 0
DEFAULT_PRIORITY: Final = 500
MOST_PRIORITY: Final = 1_000
#: Words for priorities.
PRIORITY_NAMES: Final = MappingProxyType({"min": LEAST_PRIORITY, "medium": DEFAULT_PRIORITY, "max": MOST_PRIORITY})
#: Beyond these a limit is a slip of the hand; "no limit" is 0.
MOST_CONCURRENCY: Final = 1_000_000
MOST_DEPTH: Final = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """One queue. A limit of 0 means no limit. Raises InvalidArgument for a name or a value that cannot be."""

    name: str
    run_concurrency: int = 0
    """Most runs with a placed attempt in this queue."""
    action_concurrency: int = 0
    """Most attempts that run; one that waits for its children does not count."""
    depth: int = 0
    """Most actions, running and waiting; whatever comes beyond is refused with RESOURCE_EXHAUSTED."""
    priority: int = DEFAULT_PRIORITY
    """0 to 1000. Orders admission between queues, never preempts; waiting raises it."""
    clusters: tuple[str, ...] = ()
    """Clusters that it may use; empty or ("*",): all."""
    draining: bool = False
    """Accepts nothing new; what it holds still runs."""

    def __post_init__(self) -> None:
        check_name(self.name, what="queue")
        check_range(self.run_concurrency, field="run_concurrency", most=MOST_CONCURRENCY, unit="runs")
        check_range(self.action_concurrency, field="action_concurrency", most=MOST_CONCURRENCY, unit="actions")
        check_range(self.depth, field="depth", most=MOST_DEPTH, unit="actions")
        check_range(self.priority, field="priority", most=MOST_PRIORITY)
        check_clusters(self.clusters)


def parse_priority(text: str | int) -> int:
    """Reads "min", "medium", "max" or a number from 0 to 1000. Raises InvalidArgument for anything else."""
    if isinstance(text, str):
        named = PRIORITY_NAMES.get(text.strip().lower())
        if named is not None:
            return named
        if not text.strip().isdecimal():
            raise InvalidArgument(
                f"{text!r} is not a priority",
                reason="OUT_OF_RANGE",
                field="priority",
                limit=f"{LEAST_PRIORITY} to {MOST_PRIORITY}",
                mend='Say "min", "medium", "max" or a number.',
            )
        text = int(text)
    check_range(text, field="priority", most=MOST_PRIORITY)
    return text
