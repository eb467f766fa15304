"""The scheduler's records in memory: for fast tests and for the simulation. Durable only for the life of the object."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Final

from flyteplane.foundation.errors import Aborted
from flyteplane.scheduler.application.ports import (
    EVERY_ACTION,
    ActionCount,
    ActionFilter,
    ActionRow,
    Changes,
    Living,
    RunChange,
    RunKey,
    RunRow,
    SegmentRow,
    TraceRow,
)
from flyteplane.scheduler.domain.phases import Phase

#: Phases from this one on are final.
_FIRST_TERMINAL: Final = int(Phase.SUCCEEDED)
_MUTABLE: Final = ActionRow._fields[ActionRow._fields.index("phase") :]


class MemoryRecords:
    """Implements `Records`. A second owner that claims them fences the first, as with a database."""

    def __init__(self) -> None:
        self.epoch = 0
        self._runs: dict[int, RunRow] = {}
        self._actions: dict[int, dict[int, ActionRow]] = {}
        self._segments: dict[int, list[SegmentRow]] = {}
        self._traces: dict[int, list[TraceRow]] = {}
        self._tasks: dict[bytes, bytes] = {}
        self._changes: dict[int, tuple[int, int, float]] = {}
        self._next_change = 1

    def open(self) -> "MemoryOwner":
        """A view of the records for one scheduler."""
        return MemoryOwner(self)

    def apply(self, changes: Changes) -> None:
        """Stores the changes."""
        self._tasks.update(changes.tasks)
        for run in changes.runs:
            self._runs[run.id] = _copy(run)
        for row in changes.inserted:
            rows = self._actions.setdefault(row.run_id, {})
            if row.ordinal in rows or any(row.name == other.name for other in rows.values()):
                raise AssertionError(f"action {row.name} is stored already")
            rows[row.ordinal] = row
        for row in changes.updated:
            stored = self._actions[row.run_id][row.ordinal]
            self._actions[row.run_id][row.ordinal] = stored._replace(**{name: getattr(row, name) for name in _MUTABLE})
        for segment in changes.segments:
            self._segments.setdefault(segment.run_id, []).append(segment)
        for trace in changes.traces:
            self._traces.setdefault(trace.run_id, []).append(trace)
        for run in changes.run_phases:
            self._runs[run.id] = _copy(run)
            self._changes[self._next_change] = (run.id, run.phase, run.ended_at or run.started_at or run.created_at)
            self._next_change += 1

    def living(self) -> Living:
        """Runs that have not ended, with what belongs to them."""
        runs = [_copy(run) for run in self._runs.values() if run.phase < _FIRST_TERMINAL]
        return Living(
            runs=runs,
            actions=[row._replace(outputs=None) for run in runs for row in self.rows(run.id)],
            traces=[trace for run in runs for trace in sorted(self._traces.get(run.id, ()))],
            last_sequences={run.id: log[-1].last_sequence for run in runs if (log := self._segments.get(run.id))},
        )

    def highest(self) -> int:
        """The largest run id."""
        return max(self._runs, default=0)

    def find(self, key: RunKey) -> RunRow | None:
        """A run by its key."""
        return next((_copy(run) for run in self._runs.values() if run.key == key), None)

    def rows(self, run_id: int) -> list[ActionRow]:
        """All actions of a run, in order of acceptance."""
        return [row for _, row in sorted(self._actions.get(run_id, {}).items())]

    def spec(self, digest: bytes) -> bytes | None:
        """A task spec."""
        return self._tasks.get(digest)

    def log(self, run_id: int) -> list[SegmentRow]:
        """All segments of a run."""
        return list(self._segments.get(run_id, ()))

    def phases(self) -> list[RunChange]:
        """All phases that runs have entered."""
        found = []
        for cursor, (run_id, phase, at) in self._changes.items():
            if (run := self._runs.get(run_id)) is not None:
                found.append(RunChange(cursor, run.key, phase, at, run.started_at, run.error))
        return found

    def latest_change(self) -> int:
        """The cursor of the newest of them."""
        return max(self._changes, default=0)

    def ended(self, before: float) -> list[RunRow]:
        """Runs that ended before a time, but for the one with the highest id."""
        old = [run for run in self._runs.values() if 0 < run.ended_at < before and run.id != self.highest()]
        return [_copy(run) for run in sorted(old, key=lambda run: run.ended_at)]

    def forget(self, run_id: int) -> None:
        """Removes a run."""
        for rows in (self._runs, self._actions, self._segments, self._traces):
            rows.pop(run_id, None)

    def forget_changes(self, before: float) -> None:
        """Removes the oldest changes that were before a time."""
        for cursor, (_, _, at) in list(self._changes.items()):
            if at >= before:
                return
            del self._changes[cursor]


class MemoryOwner:
    """One scheduler's access to `MemoryRecords`."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records
        self._epoch = 0
        self._failed = False

    async def claim(self, *, at_least: int) -> int:
        """See the port."""
        self._epoch = self._records.epoch = max(self._records.epoch + 1, at_least)
        return self._epoch

    def save(self, changes: Changes) -> Awaitable[None]:
        """See the port."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._apply(changes)
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return done

    def _refuse_replaced(self) -> None:
        if not self._epoch or self._epoch != self._records.epoch:
            raise Aborted("another scheduler has claimed the shard", reason="FENCED")

    def _apply(self, changes: Changes) -> None:
        self._refuse_replaced()
        if self._failed:
            raise Aborted("a write before this one failed", reason="EARLIER_WRITE_FAILED")
        self._failed = True
        self._records.apply(changes)
        self._failed = False

    async def living(self) -> Living:
        """See the port."""
        return self._records.living()

    async def highest_run_id(self) -> int:
        """See the port."""
        return self._records.highest()

    async def task(self, digest: bytes) -> bytes | None:
        """See the port."""
        return self._records.spec(digest)

    async def run(self, key: RunKey) -> RunRow | None:
        """See the port."""
        return self._records.find(key)

    async def action(self, run_id: int, name: str) -> ActionRow | None:
        """See the port."""
        return next((row for row in self._records.rows(run_id) if row.name == name), None)

    async def actions(
        self, run_id: int, *, after: int, limit: int, where: ActionFilter = EVERY_ACTION
    ) -> Sequence[ActionRow]:
        """See the port."""
        rows = [
            row._replace(inputs=b"", outputs=None)
            for row in self._records.rows(run_id)
            if row.ordinal > after and _fits(row, where)
        ]
        return rows[:limit]

    async def action_counts(self, run_id: int, *, parents: Sequence[str] | None) -> Sequence[ActionCount]:
        """See the port."""
        rows = [row for row in self._records.rows(run_id) if parents is None or row.parent in parents]
        counts = Counter((row.parent, row.group_label, row.phase) for row in rows)
        return [ActionCount(*key, count) for key, count in counts.items()]

    async def segments(self, run_id: int, *, from_sequence: int, limit: int) -> Sequence[SegmentRow]:
        """See the port."""
        log = self._records.log(run_id)
        first = max((row.first_sequence for row in log if row.first_sequence <= from_sequence), default=0)
        return [row for row in log if row.first_sequence >= first][:limit]

    async def run_changes(self, *, after: int, limit: int) -> Sequence[RunChange]:
        """See the port."""
        return [change for change in self._records.phases() if change.cursor > after][:limit]

    async def ended(self, *, before: float, limit: int) -> Sequence[RunRow]:
        """See the port."""
        return self._records.ended(before)[:limit]

    async def forget(self, run_id: int) -> None:
        """See the port."""
        self._refuse_replaced()
        self._records.forget(run_id)

    async def forget_changes(self, *, before: float) -> None:
        """See the port."""
        self._refuse_replaced()
        self._records.forget_changes(before)

    async def latest_run_change(self) -> int:
        """See the port."""
        return self._records.latest_change()

    async def close(self) -> None:
        """See the port."""


def _fits(row: ActionRow, where: ActionFilter) -> bool:
    return (
        (not where.parent or row.parent == where.parent)
        and (not where.phases or row.phase in where.phases)
        and (not where.names or row.name in where.names)
        and (where.group is None or row.group_label == where.group)
    )


def _copy(run: RunRow) -> RunRow:
    return RunRow(
        key=run.key,
        id=run.id,
        digest=run.digest,
        settings=run.settings,
        phase=run.phase,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        error=run.error,
    )
