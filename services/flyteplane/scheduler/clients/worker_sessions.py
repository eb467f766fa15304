"""Streams of workers that are not this process's children, such as pods: who may open one, and what goes over it.

A worker says who it is with the token of its attempt. It is heard only while that attempt is current, and only about
that attempt; a heartbeat is answered only by a scheduler that leads at that moment, because the answer is what lets the
worker go on. With the answer comes a new token once the one before is some way to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.worker_service_pb2 import (
    HeartbeatAnswer,
    LeaseRevoked,
    TokenRenewed,
    WorkerOrder,
    WorkerReport,
)
from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.rpc.tokens import DEFAULT_TTL_S
from flyteplane.scheduler.application.attempt_tokens import RENEWED_AFTER, AttemptTokens, Verifier

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import Hello
    from flyteplane.cluster.ports import WorkerChannel
    from flyteplane.foundation.clock import Clock
    from flyteplane.scheduler.clients.fresh_worker import FreshWorker
    from flyteplane.scheduler.clients.fresh_workers import FreshWorkers

#: Reports that name no lease.
_OF_WORKER: Final = ("hello", "heartbeat", "declare_task")


class WorkerSessions:
    """Opens sessions of workers.

    Args:
        leads: whether this process leads at this very moment, by its own clock.
        token_ttl_s: how long tokens hold that the placement makes.
    """

    def __init__(
        self,
        placement: FreshWorkers,
        *,
        verifier: Verifier,
        leads: Callable[[], bool],
        clock: Clock,
        token_ttl_s: float = DEFAULT_TTL_S,
    ) -> None:
        self._placement = placement
        self._tokens = AttemptTokens(verifier, still_to_begin=placement.still_to_begin)
        self._leads = leads
        self._clock = clock
        self._token_ttl_s = token_ttl_s

    def open(self, hello: Hello, channel: WorkerChannel) -> WorkerSession:
        """A worker has said Hello.

        Raises:
            Unauthenticated: the token is not that of an attempt, or too old.
            FailedPrecondition: the attempt is over, or was begun by another.
        """
        claims = self._tokens.claims(hello.token)
        if not self._placement.runs_still(claims):
            raise FailedPrecondition("the attempt is over", reason="ATTEMPT_OVER", mend="Exit.")
        worker = self._placement.connect(claims.lease, channel, running=claims.lease in hello.running)
        token = LimitedToken(claims.expires_at, ttl_s=self._token_ttl_s, clock=self._clock)
        session = WorkerSession(self._placement, worker, channel, leads=self._leads, token=token)
        session.renew_token()
        return session


class LimitedToken:
    """When the token of a worker has to be renewed."""

    def __init__(self, expires_at: float, *, ttl_s: float, clock: Clock) -> None:
        self._expires_at = expires_at
        self._ttl_s = ttl_s
        self._clock = clock

    def is_old(self) -> bool:
        """Whether it is time for another."""
        return self._clock.now() >= self._expires_at - (1.0 - RENEWED_AFTER) * self._ttl_s

    def renewed(self) -> None:
        """The worker has another, made now."""
        self._expires_at = self._clock.now() + self._ttl_s


class WorkerSession:
    """One stream of one worker."""

    def __init__(
        self,
        placement: FreshWorkers,
        worker: FreshWorker,
        channel: WorkerChannel,
        *,
        leads: Callable[[], bool],
        token: LimitedToken,
    ) -> None:
        self._token = token
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
            self.renew_token()

    def renew_token(self) -> None:
        """Give the worker another token if its own is some way to its end."""
        if self._token.is_old() and self._leads():
            self._token.renewed()
            renewed = TokenRenewed(token=self._placement.token_of(self._worker))
            self._channel.send((WorkerOrder(token_renewed=renewed),))
