"""Reports on their way to the scheduler: in order, none lost with a stream that breaks, in bounded memory.

A report that was written to a stream may still be lost with it. The answer to a heartbeat says that everything written
before that heartbeat has arrived; until then a report is kept, and goes out again on the next stream. Some are kept for
longer, since their effect may be lost with a scheduler that dies: task declarations, the start, and calls without a
result.

Output of the task is dropped, and a mark left in its place, only when no scheduler is there and much of it waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from flyteapi.scheduler.v1.worker_service_pb2 import LogChunk, WorkerReport

MOST_OUTPUT_BYTES: Final = 8 << 20
_BATCH_BYTES: Final = 1 << 20


class Outbox:
    """Reports of one attempt.

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
        self._started: WorkerReport | None = None
        self._calls: dict[tuple[int, int], list[WorkerReport]] = {}
        self._end: WorkerReport | None = None
        self._output_bytes = 0
        self._dropped_bytes = 0
        self.changed: asyncio.Event = asyncio.Event()
        """Set when there is something to write."""

    @property
    def is_half_full(self) -> bool:
        """Whether there is so much output that it should be learned what of it has arrived."""
        return self._output_bytes > self._most_output_bytes // 2

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
        self._reports.append(report)
        self.changed.set()

    def add_output(self, data: bytes, *, lease: int, is_stderr: bool, may_drop: bool) -> None:
        """Takes output of the task."""
        if may_drop and self.is_full:
            self._dropped_bytes += len(data)
            return
        self._mark_dropped(lease)
        self._output_bytes += len(data)
        self.add(WorkerReport(lease=lease, log=LogChunk(data=data, is_stderr=is_stderr)))

    def end(self, report: WorkerReport) -> None:
        """Takes the attempt's end; nothing but what waits comes before it, and nothing after it."""
        self._mark_dropped(report.lease)
        self.add(report)

    def answered(self, lease: int, call: int) -> None:
        """A call has its result: it need not be made again."""
        self._calls.pop((lease, call), None)

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
            if report.HasField("log"):
                self._output_bytes -= len(report.log.data)
        self._written -= arrived
        self._marks = deque((number, written - arrived) for number, written in self._marks)

    def rewind(self) -> None:
        """A new stream begins: it is given everything that is not known to have arrived, or may be forgotten there."""
        self._marks.clear()
        self._written = 0
        waiting = {id(report) for report in self._reports}
        kept = [*self._declared.values()]
        kept += [self._started] if self._started is not None else []
        kept += [report for reports in self._calls.values() for report in reports]
        # A call is made only of a task that is declared, so declarations come first whatever waits.
        self._reports.extendleft(report for report in reversed(kept) if id(report) not in waiting)
        if self._end is not None and id(self._end) not in waiting:
            self._reports.append(self._end)
        if self._reports:
            self.changed.set()

    def _remember(self, report: WorkerReport) -> None:
        match report.WhichOneof("report"):
            case "declare_task":
                self._declared[report.declare_task.digest] = report
            case "started":
                self._started = report
            case "submit":
                self._calls[report.lease, report.submit.call] = [report]
            case "cancel_call":
                if (call := self._calls.get((report.lease, report.cancel_call.call))) is not None:
                    call.append(report)
            case "ended":
                self._calls.clear()
                self._end = report

    def _mark_dropped(self, lease: int) -> None:
        if self._dropped_bytes:
            text = f"\n[{self._dropped_bytes} bytes of output dropped: no scheduler could be reached]\n".encode()
            self._dropped_bytes = 0
            self._output_bytes += len(text)
            self.add(WorkerReport(lease=lease, log=LogChunk(data=text, is_stderr=True)))
