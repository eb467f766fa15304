"""How many actions a run has, by parent, group and phase: for whoever shows a large run without listing it.

Of a living run the actions are in memory. Those of an ended run are counted once, by one pass over its rows, and the
counts of the runs that were asked for last are kept: they never change.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteplane.scheduler.application.ports import ActionCount
from flyteplane.scheduler.domain.phases import Phase

if TYPE_CHECKING:
    from flyteplane.scheduler.application.living import Run
    from flyteplane.scheduler.application.ports import Records

_RUNS_KEPT: Final = 16
#: A run with more counts than this is asked of the store again each time.
_COUNTS_KEPT: Final = 20_000


def count_living(run: Run, parents: Sequence[str]) -> Sequence[ActionCount]:
    """Children of `parents`, from memory; without any, all actions by phase alone."""
    if not parents:
        return _phases(Counter(action.state.phase for action in run.actions.values()))
    families = [(name, action.children) for name in parents if (action := run.actions.get(name)) is not None]
    counts = Counter((name, child.group, child.state.phase) for name, children in families for child in children)
    return [ActionCount(*key, number) for key, number in counts.items()]


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of one run."""

    phases: Sequence[ActionCount]
    by_parent: Mapping[str, Sequence[ActionCount]] | None
    """None: too many to keep."""


class EndedCounts:
    """Counts of runs that have ended."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._kept: OrderedDict[int, _Counts] = OrderedDict()

    async def of(self, run_id: int, parents: Sequence[str]) -> Sequence[ActionCount]:
        """As `count_living`."""
        kept = self._kept.get(run_id) or await self._count(run_id)
        if not parents:
            return kept.phases
        if kept.by_parent is None:
            return await self._records.action_counts(run_id, parents=parents)
        return [count for parent in dict.fromkeys(parents) for count in kept.by_parent.get(parent, ())]

    async def _count(self, run_id: int) -> _Counts:
        found = await self._records.action_counts(run_id, parents=None)
        phases: Counter[int] = Counter()
        by_parent: dict[str, list[ActionCount]] = {}
        for count in found:
            phases[count.phase] += count.number
            by_parent.setdefault(count.parent, []).append(count)
        counts = _Counts(_phases(phases), by_parent if len(found) <= _COUNTS_KEPT else None)
        if not all(Phase(phase).terminal for phase in phases):
            # Its last rows are on their way to the store.
            return counts
        self._kept[run_id] = counts
        while len(self._kept) > _RUNS_KEPT:
            self._kept.popitem(last=False)
        return counts


def _phases(numbers: Mapping[int, int]) -> list[ActionCount]:
    return [ActionCount("", "", phase, number) for phase, number in numbers.items()]
