"""Reports on their way to the scheduler.

Everything that is reported while the stream's last message is under way goes out as the next one. A report of a
replica is copied once, from the message that brought it into the one that takes it on.
"""

import asyncio
from typing import Final

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import AssignResponse
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport

#: Reports in one message; with each at its greatest this stays below what a gRPC message may have at the edge.
_MOST_LARGE: Final = 12
_MOST_BYTES: Final = 3 << 20


class Outbox:
    """The pool's end of one Assign stream. One reader."""

    __slots__ = ("_closed", "_message", "_reader", "_reports")

    def __init__(self) -> None:
        self._message = AssignResponse()
        self._reports = self._message.reports
        self._reader: asyncio.Future[None] | None = None
        self._closed = False

    def forward(self, report: WorkerReport) -> None:
        """Pass on what a replica said."""
        self._reports.add().forward.CopyFrom(report)
        if self._reader is not None:
            self._wake()

    def placed(self, lease: int, replica: str, note: str = "") -> None:
        """The attempt was sent to a replica; `note` tells people of a slot that is out of the ordinary."""
        placed = self._reports.add().placed
        placed.lease = lease
        placed.replica = replica
        if note:
            placed.note = note
        self._wake()

    def lost(
        self, lease: int, reason: str, message: str, *, culprit: bool = False, exit_code: int = 0, signal: int = 0
    ) -> None:
        """The attempt's replica is gone."""
        lost = self._reports.add().lost
        lost.lease, lost.reason, lost.message = lease, reason, message
        lost.culprit, lost.exit_code, lost.signal = culprit, exit_code, signal
        self._wake()

    def refused(self, lease: int, reason: str, message: str, *, retryable: bool) -> None:
        """The attempt will not be run here."""
        refused = self._reports.add().refused
        refused.lease, refused.reason, refused.message, refused.retryable = lease, reason, message, retryable
        self._wake()

    def trouble(self, pool: str, message: str) -> None:
        """Why replicas of a pool do not come; empty once they do."""
        trouble = self._reports.add().trouble
        trouble.pool, trouble.message = pool, message
        self._wake()

    def resumed(self, *, running: list[int], waiting: list[int]) -> None:
        """What the pool still holds."""
        resumed = self._reports.add().resumed
        resumed.SetInParent()
        resumed.running.extend(running)
        resumed.waiting.extend(waiting)
        self._wake()

    def take_ends(self, other: "Outbox") -> None:
        """Take over what waits in a stream that has ended and that nobody else says again: leases that are over."""
        for report in other._reports:
            if report.HasField("lost") or report.HasField("refused"):
                self._reports.add().CopyFrom(report)

    def close(self) -> None:
        """End the stream after what waits."""
        self._closed = True
        self._wake()

    async def take(self) -> list[AssignResponse]:
        """All reports that wait, as messages of bounded size; at least one. Empty once closed."""
        while not self._reports:
            if self._closed:
                return []
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        message = self._message
        self._message = AssignResponse()
        self._reports = self._message.reports
        return [message] if fits(message) else split(message)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def fits(message: AssignResponse) -> bool:
    """Whether a message may be sent as it is."""
    return len(message.reports) <= _MOST_LARGE or message.ByteSize() <= _MOST_BYTES


def split(message: AssignResponse) -> list[AssignResponse]:
    """The same reports in messages that may be sent."""
    parts, size_bytes = [AssignResponse()], 0
    for report in message.reports:
        report_bytes = report.ByteSize()
        if size_bytes and size_bytes + report_bytes > _MOST_BYTES:
            parts.append(AssignResponse())
            size_bytes = 0
        parts[-1].reports.append(report)
        size_bytes += report_bytes
    return parts
