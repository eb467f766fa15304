"""One fresh worker and what it is for: what its placement has to remember between two messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport
    from flyteplane.cluster.ports import Cluster, WorkerChannel, WorkerExit, WorkerProgress
    from flyteplane.foundation.clock import Timer
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.clients.masked_log import MaskedLog


class WorkerListener(Protocol):
    """What a worker's messages are handed to."""

    def opened(self, worker: FreshWorker) -> None:
        """It can be spoken to."""

    def received(self, worker: FreshWorker, reports: Sequence[WorkerReport]) -> None:
        """It said something."""

    def wrote(self, worker: FreshWorker, data: bytes) -> None:
        """It wrote past its own capture."""

    def progressed(self, worker: FreshWorker, progress: WorkerProgress) -> None:
        """Its cluster said how it comes along."""

    def gone(self, worker: FreshWorker, exit: WorkerExit) -> None:
        """It has ended."""


class FreshWorker:
    """Implements `WorkerSink` for one attempt."""

    __slots__ = (
        "action",
        "attempt",
        "bundle_path",
        "channel",
        "cluster",
        "contact_timer",
        "heard_at",
        "lease",
        "listener",
        "masked_log",
        "message",
        "name",
        "node",
        "reaper",
        "secret_env",
        "secret_files",
        "token",
    )

    def __init__(self, *, listener: WorkerListener, cluster: Cluster, lease: int, action: Action) -> None:
        self.listener = listener
        self.cluster = cluster
        self.lease = lease
        self.action = action
        self.attempt = action.state.attempt
        self.name = f"{action.run.key.name}-{action.name}-{self.attempt}-{lease:x}"
        self.channel: WorkerChannel | None = None
        self.reaper: Timer | None = None
        self.masked_log: MaskedLog | None = None
        self.bundle_path = ""
        self.token = ""
        self.node = ""
        self.message = ""
        """What the cluster said last of a worker that does not speak yet."""
        self.heard_at = 0.0
        """When it was last heard, by the monotonic clock; 0 for one whose silence means nothing."""
        self.contact_timer: Timer | None = None
        self.forget_values()

    def forget_values(self) -> None:
        """Values of secrets are held only until they were handed over; after that there is the mask of the log."""
        self.secret_env: Mapping[str, bytes] = {}
        self.secret_files: Mapping[str, bytes] = {}

    def stop_timers(self) -> None:
        """Nothing more is expected of it."""
        for timer in (self.reaper, self.contact_timer):
            if timer is not None:
                timer.cancel()

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """See the port."""
        self.channel = channel
        self.listener.opened(self)

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        """See the port."""
        self.listener.received(self, reports)

    def output(self, name: str, data: bytes) -> None:
        """See the port."""
        self.listener.wrote(self, data)

    def progress(self, progress: WorkerProgress) -> None:
        """See the port."""
        self.listener.progressed(self, progress)

    def exited(self, exit: WorkerExit) -> None:
        """See the port."""
        self.listener.gone(self, exit)
