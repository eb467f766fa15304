"""The progress of a run as a small tree, however many actions it has.

Actions that are called from the same place under the same name are one line with a count for each phase. An event
costs the same with ten actions and with a hundred thousand, and so does drawing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from flyte.spec.phases import ActionPhase


@dataclass(slots=True)
class Line:
    """Actions that are shown together."""

    label: str
    counts: Counter[ActionPhase] = field(default_factory=Counter)
    below: dict[str, Line] = field(default_factory=dict)
    cached: int = 0
    retried: int = 0
    note: str = ""
    """Why one of them waits or failed, as the platform said last."""

    @property
    def total(self) -> int:
        """How many actions there are."""
        return self.counts.total()


@dataclass(slots=True)
class _Seen:
    line: Line
    phase: ActionPhase
    attempt: int = 0
    cached: bool = False


class RunTree:
    """What is known of a run, from its events."""

    def __init__(self) -> None:
        self.top = Line("")
        self._seen: dict[str, _Seen] = {}

    def add(self, action: str, *, parent: str, name: str, group: str, phase: ActionPhase) -> None:
        """Take in an action; one that is known is left as it is."""
        if action in self._seen:
            return
        above = self._seen[parent].line if parent in self._seen else self.top
        label = f"{group} · {name}" if group and not group.endswith(f"{name}_map") else name
        line = above.below.setdefault(label, Line(label))
        line.counts[phase] += 1
        self._seen[action] = _Seen(line, phase)

    def move(self, action: str, *, phase: ActionPhase, attempt: int = 0, note: str = "", cached: bool = False) -> None:
        """Take in a new phase of an action. An action that was never added is left out."""
        seen = self._seen.get(action)
        if seen is None:
            return
        seen.line.counts[seen.phase] -= 1
        seen.line.counts[phase] += 1
        seen.line.retried += attempt > max(seen.attempt, 1)
        seen.line.cached += cached and not seen.cached
        seen.phase, seen.attempt, seen.cached = phase, max(attempt, seen.attempt), cached or seen.cached
        seen.line.note = note or (seen.line.note if phase is not ActionPhase.SUCCEEDED else "")

    def lines(self) -> Iterator[tuple[int, Line]]:
        """Yield (depth, line), parents first."""
        yield from _walk(self.top, 0)

    @property
    def total(self) -> int:
        """How many actions there are."""
        return len(self._seen)


def _walk(line: Line, depth: int) -> Iterator[tuple[int, Line]]:
    for below in tuple(line.below.values()):
        yield depth, below
        yield from _walk(below, depth + 1)
