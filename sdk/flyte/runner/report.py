"""The HTML report of an attempt, kept with the attempt's data so that it outlives the worker."""

from __future__ import annotations

from flyte.report.document import Report
from flyte.runner.stream import WorkerStream
from flyte.storage import objects
from flyteapi.scheduler.v1.worker_service_pb2 import ReportUpdate, WorkerReport


class AttemptReport(Report):
    """A report that is written to the object store, and says so, at every flush."""

    def __init__(self, stream: WorkerStream, *, lease: int, uri: str, name: str) -> None:
        super().__init__(name=name)
        self._stream = stream
        self._lease = lease
        self._uri = uri

    def flush(self) -> None:
        """Writes the page as a whole."""
        if self.is_empty():
            return
        objects.put_bytes(self.get_final_report().encode(), self._uri)
        self._stream.send(WorkerReport(lease=self._lease, report_update=ReportUpdate(uri=self._uri)))
