"""Streams of workers that are not this process's children, such as pods: who may open one, and what goes over it.

A worker says who it is with the token of its attempt. It is heard only while that attempt is current, and only about
that attempt; a heartbeat is answered only by a scheduler that leads at that moment, because the answer is what lets the
worker go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from flyteapi.scheduler.v1.worker_service_pb2 import HeartbeatAnswer, LeaseRevoked, WorkerOrder, WorkerReport
from flyteplane.foundation.errors import FailedPrecondition, Unauthenticated
from flyteplane.rpc.tokens import Claims, TokenExpired, TokenKind

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import Hello
    from flyteplane.cluster.ports import WorkerChannel
    from flyteplane.scheduler.clients.fresh_worker import FreshWorker
    from flyteplane.scheduler.clients.fresh_workers import FreshWorkers

#: Reports that name no lease.
_OF_WORKER = ("hello", "heartbeat", "declare_task")


class Verifier(Protocol):
    """Reads tokens."""

    def verify(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated."""


class WorkerSessions:
    """Opens sessions of workers.

    Args:
        leads: whether this process leads at this very moment, by its own clock.
    """

    def __init__(self, placement: FreshWorkers, *, verifier: Verifier, leads: Callable[[], bool]) -> None:
        self._placement = placement
        self._verifier = verifier
        self._leads = leads

    def open(self, hello: Hello, channel: WorkerChannel) -> WorkerSession:
        """A worker has said Hello.

        Raises:
            Unauthenticated: the token is not that of an attempt, or too old.
            FailedPrecondition: the attempt is over, or was begun by another.
        """
        claims = self._claims(hello.token)
        if claims.kind is not TokenKind.ATTEMPT:
            raise Unauthenticated("the token is not that of an attempt", reason="TOKEN")
        worker = self._placement.connect(claims.lease, channel, running=claims.lease in hello.running)
        action = worker.action
        if (claims.project, claims.domain, claims.run) != action.run.key or claims.action != action.name:
            self._placement.disconnected(worker, channel)
            raise FailedPrecondition("the attempt is over", reason="ATTEMPT_OVER", mend="Exit.")
        return WorkerSession(self._placement, worker, channel, leads=self._leads)

    def _claims(self, token: str) -> Claims:
        """A token holds as long as its attempt: a task may run for days."""
        try:
            return self._verifier.verify(token)
        except TokenExpired as expired:
            if self._placement.runs_still(expired.claims):
                return expired.claims
            raise


class WorkerSession:
    """One stream of one worker."""

    def __init__(
        self, placement: FreshWorkers, worker: FreshWorker, channel: WorkerChannel, *, leads: Callable[[], bool]
    ) -> None:
        self._placement = placement
        self._worker = worker
        self._channel = channel
        self._leads = leads

    def received(self, reports: Sequence[WorkerReport]) -> None:
        """The worker says something. Reports about another attempt than its own are answered as stale."""
        own = [report for report in reports if self._is_own(report)]
        if own:
            self._placement.heard(self._worker, own)

    def closed(self) -> None:
        """The stream has ended."""
        self._placement.disconnected(self._worker, self._channel)

    def _is_own(self, report: WorkerReport) -> bool:
        kind = report.WhichOneof("report")
        if kind == "heartbeat":
            self._answer(report.heartbeat.sequence)
        if kind in _OF_WORKER or report.lease == self._worker.lease:
            return True
        refusal = LeaseRevoked(reason="This worker's attempt is another one.")
        self._channel.send((WorkerOrder(lease=report.lease, lease_revoked=refusal),))
        return False

    def _answer(self, sequence: int) -> None:
        if sequence and self._leads():
            self._channel.send((WorkerOrder(heartbeat_answer=HeartbeatAnswer(sequence=sequence)),))
