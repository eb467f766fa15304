"""Reports on their way to the scheduler or the reuse pool: in order, none lost with a stream that breaks, in bounded
memory.

A report that was written to a stream may still be lost with it. The answer to a heartbeat says that everything written
before that heartbeat has arrived; until then a report is kept, and goes out again on the next stream. Some are kept for
longer, since their effect may be lost with a scheduler that dies: task declarations, and of each attempt the start, the
calls without a result, the end until it is accepted, and the newest output until it is stored.

Output of the task is dropped, and a mark left in its place, only when no scheduler is there and much of it waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from flyteapi.scheduler.v1.worker_service_pb2 import LogChunk, WorkerReport

MOST_DECLARED: Final = 2_000
"""Task declarations that are kept although no call without a result needs them: the scheduler has those that were used
in its store."""
MOST_OUTPUT_BYTES: Final = 8 << 20
MOST_HEARD_BYTES: Final = 1 << 20
"""Of one attempt's output that has arrived and is not known to be stored."""
_BATCH_BYTES: Final = 1 << 20


class Outbox:
    """Reports of one worker, of as many attempts as it runs.

    Args:
        most_output_bytes: output beyond this waits for room, or is dropped while no scheduler is there.
    """

    def __init__(self, *, most_output_bytes: int = MOST_OUTPUT_BYTES) -> None:
        self._most_output_bytes = most_output_bytes
        self._reports: deque[WorkerReport] = deque()
        self._written = 0
        """How many of them were written to the present stream."""
        self._marks: deque[tuple[int, int]] = deque()
        """Heartbeats and how many of the reports were written before each."""
        self._declared: dict[bytes, WorkerReport] = {}
        self._most_declared = 2 * MOST_DECLARED
        self._kept: dict[int, _KeptOfAttempt] = {}
        """By lease; of every attempt that has said anything and is not forgotten."""
        self._size_bytes = 0
        self._output_bytes = 0
        self.changed: asyncio.Event = asyncio.Event()
        """Set when there is something to write."""

    @property
    def is_half_full(self) -> bool:
        """Whether there is so much that it should be learned what of it has arrived."""
        return self._size_bytes > self._most_output_bytes // 2

    @property
    def is_empty(self) -> bool:
        """Whether everything that was said is known to have arrived."""
        return not self._reports

    @property
    def is_full(self) -> bool:
        """Whether output has to wait, or is dropped."""
        return self._output_bytes >= self._most_output_bytes

    @property
    def has_unwritten(self) -> bool:
        """Whether there is something that the present stream has not been given."""
        return self._written < len(self._reports)

    def add(self, report: WorkerReport) -> None:
        """Takes a report."""
        self._remember(report)
        self._append(report)

    def add_output(self, data: bytes, *, lease: int, is_stderr: bool, may_drop: bool) -> None:
        """Takes output of the task."""
        if may_drop and self.is_full:
            self._kept_of(lease).dropped_bytes += len(data)
            return
        self._mark_dropped(lease)
        self._append_output(data, lease=lease, is_stderr=is_stderr)

    def end(self, report: WorkerReport) -> None:
        """Takes the attempt's end; nothing but what waits comes before it, and nothing after it."""
        self._mark_dropped(report.lease)
        self.add(report)

    def answered(self, lease: int, call: int) -> None:
        """A call has its result: it need not be made again."""
        if (kept := self._kept.get(lease)) is not None:
            kept.calls.pop(call, None)

    def forget(self, lease: int) -> None:
        """An attempt is over for good: its end was accepted, or it is somebody else's."""
        self._kept.pop(lease, None)

    def take(self) -> list[WorkerReport]:
        """The next reports to write, in order; they count as written."""
        batch: list[WorkerReport] = []
        size_bytes = 0
        while self.has_unwritten and size_bytes < _BATCH_BYTES:
            report = self._reports[self._written]
            size_bytes += report.ByteSize()
            batch.append(report)
            self._written += 1
        if not self.has_unwritten:
            self.changed.clear()
        return batch

    def mark(self, sequence: int) -> None:
        """A heartbeat is written now."""
        self._marks.append((sequence, self._written))

    def acknowledge(self, sequence: int) -> None:
        """The heartbeat has been answered: all that was written before it has arrived."""
        arrived = 0
        while self._marks and self._marks[0][0] <= sequence:
            arrived = self._marks.popleft()[1]
        for _ in range(arrived):
            report = self._reports.popleft()
            self._let_go(report)
            if report.HasField("log") and (kept := self._kept.get(report.lease)) is not None:
                kept.heard(report)
        self._written -= arrived
        self._marks = deque((number, written - arrived) for number, written in self._marks)

    def stored(self, lease: int, position: int) -> None:
        """Output of an attempt is stored up to this byte: it need not be said again."""
        if (kept := self._kept.get(lease)) is not None:
            kept.stored(position)

    def rewind(self) -> None:
        """A new stream begins: it is given everything that is not known to have arrived, or may be forgotten there."""
        self._marks.clear()
        self._written = 0
        self._drop_what_is_over()
        waiting = {id(report) for report in self._reports}
        kept = [*self._declared.values()]
        kept += [report for attempt in self._kept.values() for report in attempt.before_the_end()]
        kept += [report for attempt in self._kept.values() for report in attempt.take_output()]
        # A call is made only of a task that is declared, so declarations come first whatever waits.
        for report in reversed(kept):
            if id(report) not in waiting:
                self._reports.appendleft(report)
                self._count(report)
        for attempt in self._kept.values():
            if attempt.end is not None and id(attempt.end) not in waiting:
                self._append(attempt.end)
        if self._reports:
            self.changed.set()

    def _append(self, report: WorkerReport) -> None:
        self._reports.append(report)
        self._count(report)
        self.changed.set()

    def _append_output(self, data: bytes, *, lease: int, is_stderr: bool) -> None:
        kept = self._kept_of(lease)
        chunk = LogChunk(data=data, is_stderr=is_stderr, position=kept.output_bytes + 1)
        kept.output_bytes += len(data)
        self._append(WorkerReport(lease=lease, log=chunk))

    def _count(self, report: WorkerReport) -> None:
        self._size_bytes += report.ByteSize()
        if report.HasField("log"):
            self._output_bytes += len(report.log.data)

    def _let_go(self, report: WorkerReport) -> None:
        self._size_bytes -= report.ByteSize()
        if report.HasField("log"):
            self._output_bytes -= len(report.log.data)

    def _drop_what_is_over(self) -> None:
        reports, self._reports = self._reports, deque()
        for report in reports:
            if report.lease and report.lease not in self._kept:
                self._let_go(report)
            else:
                self._reports.append(report)

    def _kept_of(self, lease: int) -> _KeptOfAttempt:
        return self._kept.setdefault(lease, _KeptOfAttempt())

    def _remember(self, report: WorkerReport) -> None:
        kind = report.WhichOneof("report")
        if kind == "declare_task":
            self._declared[report.declare_task.digest] = report
            if len(self._declared) > self._most_declared:
                self._drop_declarations()
        if not report.lease:
            return
        kept = self._kept_of(report.lease)
        match kind:
            case "started":
                kept.started = report
            case "submit":
                kept.calls[report.submit.call] = [report]
            case "cancel_call":
                if (call := kept.calls.get(report.cancel_call.call)) is not None:
                    call.append(report)
            case "ended":
                kept.calls.clear()
                kept.end = report

    def _drop_declarations(self) -> None:
        """Keeps what was declared last and what open calls are of; looked at again when as many have come."""
        calls = (reports[0].submit for attempt in self._kept.values() for reports in attempt.calls.values())
        needed = {*(submit.task_digest for submit in calls), *list(self._declared)[-MOST_DECLARED:]}
        self._declared = {digest: report for digest, report in self._declared.items() if digest in needed}
        self._most_declared = len(self._declared) + MOST_DECLARED

    def _mark_dropped(self, lease: int) -> None:
        kept = self._kept.get(lease)
        if kept is not None and kept.dropped_bytes:
            text = f"\n[{kept.dropped_bytes} bytes of output dropped: no scheduler could be reached]\n".encode()
            kept.dropped_bytes = 0
            self._append_output(text, lease=lease, is_stderr=True)


@dataclass(slots=True)
class _KeptOfAttempt:
    """What has to be said again of one attempt."""

    started: WorkerReport | None = None
    calls: dict[int, list[WorkerReport]] = field(default_factory=dict)
    """Calls without a result: the call, and that it was cancelled."""
    end: WorkerReport | None = None
    dropped_bytes: int = 0
    """Output that was dropped since the last mark."""
    output_bytes: int = 0
    """All output that was taken, marks included."""
    output: deque[WorkerReport] = field(default_factory=deque)
    """What has arrived of it and may not be stored."""
    heard_bytes: int = 0
    stored_position: int = 0

    def heard(self, report: WorkerReport) -> None:
        if _last_byte(report) > self.stored_position:
            self.output.append(report)
            self.heard_bytes += len(report.log.data)
        while self.heard_bytes > MOST_HEARD_BYTES:
            self._drop_oldest()

    def stored(self, position: int) -> None:
        self.stored_position = max(position, self.stored_position)
        while self.output and _last_byte(self.output[0]) <= position:
            self._drop_oldest()

    def take_output(self) -> list[WorkerReport]:
        taken = list(self.output)
        self.output.clear()
        self.heard_bytes = 0
        return taken

    def _drop_oldest(self) -> None:
        self.heard_bytes -= len(self.output.popleft().log.data)

    def before_the_end(self) -> Iterator[WorkerReport]:
        if self.started is not None:
            yield self.started
        for reports in self.calls.values():
            yield from reports


def _last_byte(report: WorkerReport) -> int:
    """The position of the last byte of a piece of output."""
    return report.log.position + len(report.log.data) - 1
