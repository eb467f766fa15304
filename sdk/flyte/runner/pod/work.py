"""What a container is for, as its agent sees it: one attempt, or the attempts of a replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flyte.runner.pod.data_client import DataClient
from flyteapi.scheduler.v1.worker_service_pb2 import Hello, WorkerOrder, WorkerReport


class Work(Protocol):
    """Decides what is told to whom, and when to leave."""

    may_drop_output: bool
    """Whether output beyond the outbox's room is dropped; otherwise the worker waits."""

    def hello(self) -> Hello:
        """The first report on a stream."""

    def client_of(self, lease: int) -> DataClient | None:
        """Reads and writes as the attempt with a lease; None if it is not held."""

    async def obey(self) -> None:
        """Does what orders ask for and takes time; never ends. Whatever it raises is a defect."""

    def told(self, orders: Sequence[WorkerOrder]) -> None:
        """The other side has given orders."""

    def arrived(self) -> None:
        """Reports have arrived, or the connection has come or gone."""

    def heard(self, reports: Sequence[WorkerReport]) -> None:
        """The worker has said something."""

    def wrote(self, data: bytes) -> None:
        """The worker, or what it started, has written past its capture."""

    def worker_ended(self, status: int) -> None:
        """The worker is dead and all it has said and written is here."""

    def terminated(self) -> None:
        """The container is to end (SIGTERM)."""
