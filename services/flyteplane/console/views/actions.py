"""Actions as rows of a run's tree, and what their children are counted as."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flyteapi.common.v1 import phase_pb2
from flyteplane.console.views.paths import action_path
from flyteplane.console.views.phases import PHASES, PhaseView, phase_view
from flyteplane.console.views.times import seconds_of

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState, CountActionsResponse

_CACHE: Final = {
    phase_pb2.CACHE_STATUS_HIT: "from the cache",
    phase_pb2.CACHE_STATUS_MISS: "not in the cache",
    phase_pb2.CACHE_STATUS_STORED: "stored in the cache",
    phase_pb2.CACHE_STATUS_SKIPPED: "cache bypassed",
    phase_pb2.CACHE_STATUS_FAILED: "cache unavailable",
}
_LONGEST_LINE: Final = 300


@dataclass(frozen=True, slots=True)
class PhaseCount:
    """How many actions are in a phase."""

    phase: PhaseView
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionView:
    """An action. Times are seconds since the epoch; texts are empty where there is nothing to say."""

    name: str
    path: str
    title: str
    task: str
    parent: str
    group: str
    phase: PhaseView
    attempt: int
    created_at: float | None
    started_at: float | None
    ended_at: float | None
    cache: str
    reason: str
    error: str
    asks: bool
    """It is a question to people."""
    children: Sequence[PhaseCount] = field(default=())

    @property
    def key(self) -> str:
        """Names its row on the page."""
        return f"action-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The children of an action that share a group label, folded into a row."""

    parent: str
    label: str
    counts: Sequence[PhaseCount]

    @property
    def key(self) -> str:
        """Names its row on the page; the label itself may be anything."""
        return group_key(self.parent, self.label)

    @property
    def total(self) -> int:
        """All actions of the group."""
        return sum(count.number for count in self.counts)


def group_key(parent: str, label: str) -> str:
    """Names the row of a group on the page."""
    return f"group-{parent}-{hashlib.sha256(label.encode(errors='replace')).hexdigest()[:16]}"


def action_view(state: ActionState, *, children: Sequence[PhaseCount] = ()) -> ActionView:
    """An action of a message."""
    header = state.header
    return ActionView(
        name=state.id.name,
        path=action_path(state.id.run, state.id.name),
        title=header.short_name or header.task_name,
        task=header.task_name,
        parent=header.parent,
        group=header.group,
        phase=phase_view(state.phase),
        attempt=state.attempt,
        created_at=seconds_of(state, "created_at"),
        started_at=seconds_of(state, "started_at"),
        ended_at=seconds_of(state, "ended_at"),
        cache=_CACHE.get(state.cache_status, ""),
        reason=state.reason[:_LONGEST_LINE],
        error=one_line(state.error.code, state.error.message),
        asks=header.is_condition,
        children=children,
    )


def one_line(code: str, message: str) -> str:
    """An error for a row; empty without one."""
    return f"{code}: {message.strip().partition(chr(10))[0]}"[:_LONGEST_LINE] if code else ""


@dataclass(frozen=True, slots=True)
class Families:
    """Counts of children, by parent."""

    by_parent: Mapping[str, Mapping[str, Mapping[int, int]]]
    """Parent, group, phase."""

    def children(self, parent: str) -> Sequence[PhaseCount]:
        """All children of an action."""
        total: dict[int, int] = defaultdict(int)
        for phases in self.by_parent.get(parent, {}).values():
            for phase, number in phases.items():
                total[phase] += number
        return in_order(total)

    def groups(self, parent: str) -> Sequence[GroupView]:
        """The groups among them, by label."""
        groups = sorted(self.by_parent.get(parent, {}).items())
        return [GroupView(parent=parent, label=label, counts=in_order(phases)) for label, phases in groups if label]


def families(counts: Iterable[CountActionsResponse.Count]) -> Families:
    """Counts of a message, by parent."""
    found: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for count in counts:
        found[count.parent][count.group][int(count.phase)] = count.count
    return Families(found)


def in_order(numbers: Mapping[int, int]) -> Sequence[PhaseCount]:
    """Counts in the order of phases, without those of nothing."""
    return [PhaseCount(phase, numbers[phase.number]) for phase in PHASES if numbers.get(phase.number)]
