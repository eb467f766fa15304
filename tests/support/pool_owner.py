"""A reuse pool as replicas in pods see it, small enough for tests: it says what the test wants, to one replica."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tests.support.worker_owner import WorkerOwner, orders_of

from flyteapi.reuse_pool.v1.replica_service_pb2 import ReplicaRequest, ReplicaResponse
from flyteapi.reuse_pool.v1.replica_service_pb2_grpc import ReplicaServiceServicer
from flyteapi.scheduler.v1.worker_service_pb2 import (
    AttemptEnded,
    Cancel,
    Drain,
    EndAccepted,
    LeaseRevoked,
    WorkerOrder,
)
from flyteapi.task.v1.value_pb2 import Payload


class PoolOwner(WorkerOwner, ReplicaServiceServicer):
    """Owns the attempts of one replica, over as many streams and listeners as there are."""

    async def Replica(self, requests: AsyncIterator[ReplicaRequest], context: Any) -> AsyncIterator[ReplicaResponse]:
        """See the proto. The messages are those of a scheduler's stream."""
        async for response in self.Session(requests, context):  # type: ignore[arg-type]
            yield ReplicaResponse(orders=response.orders)

    def place(self, lease: int, attribute: str, inputs: bytes | Payload = b"", **given: Any) -> None:
        """Gives the replica an attempt of an action of its own."""
        action = given.pop("action", f"a{lease}")
        self.tell(*orders_of(attribute, inputs, lease=lease, action=action, attempt_token=f"token-{lease}", **given))

    def accept(self, lease: int) -> None:
        """Accepts the end of an attempt."""
        self.tell(WorkerOrder(lease=lease, end_accepted=EndAccepted()))

    def cancel_lease(self, lease: int) -> None:
        """Cancels an attempt."""
        self.tell(WorkerOrder(lease=lease, cancel=Cancel(reason="asked to")))

    def revoke_lease(self, lease: int) -> None:
        """Takes an attempt away."""
        self.tell(WorkerOrder(lease=lease, lease_revoked=LeaseRevoked(reason="not held here")))

    def drain(self) -> None:
        """Asks the replica to finish."""
        self.tell(WorkerOrder(drain=Drain()))

    def ends(self, lease: int) -> list[AttemptEnded]:
        """What was said of an attempt's end."""
        return [report.ended for report in self.reports if report.lease == lease and report.HasField("ended")]

    async def end_of(self, lease: int) -> AttemptEnded:
        """How an attempt ended."""
        ends: list[AttemptEnded] = await self.until(lambda: self.ends(lease))
        return ends[0]

    def printed(self, lease: int) -> str:
        """The captured output of one attempt."""
        logs = (report.log.data for report in self.reports if report.lease == lease and report.HasField("log"))
        return b"".join(logs).decode()

    def kinds(self, lease: int) -> list[str | None]:
        """What was said of one attempt, by kind."""
        return [report.WhichOneof("report") for report in self.reports if report.lease == lease]
