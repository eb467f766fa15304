"""Streams of replicas that are not this process's children, such as pods: who may open one, and what goes over it.

A replica says who it is with a token that names it and its pool. It is heard only while the pool counts on it. The
token that it was started with holds beyond its time until it has said Hello, for it may have waited for a node; from
then on it is given the next one over its stream, long before. A heartbeat is answered only by a reuse pool that leads
at that moment, because the answer is what lets the replica go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flyteapi.scheduler.v1.worker_service_pb2 import HeartbeatAnswer, WorkerOrder
from flyteplane.foundation.errors import FailedPrecondition, Unauthenticated
from flyteplane.reuse_pool.domain.replica import ReplicaState
from flyteplane.rpc.tokens import REFUSED, TokenExpired, TokenKind

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import Hello, WorkerReport
    from flyteplane.cluster.ports import WorkerChannel
    from flyteplane.reuse_pool.application.ports import ReplicaTokens
    from flyteplane.reuse_pool.application.reuse_pool import ReusePool
    from flyteplane.reuse_pool.application.sessions import Session
    from flyteplane.reuse_pool.application.token_renewal import TokenRenewal
    from flyteplane.rpc.tokens import Claims


class ReplicaSessions:
    """Opens sessions of replicas.

    Args:
        tokens: None on a platform without replicas over the network.
        leads: whether this process leads at this very moment, by its own clock.
    """

    def __init__(
        self,
        reuse_pool: ReusePool,
        *,
        tokens: ReplicaTokens | None,
        renewal: TokenRenewal,
        leads: Callable[[], bool],
    ) -> None:
        self._reuse_pool = reuse_pool
        self._tokens = tokens
        self._renewal = renewal
        self._leads = leads

    def open(self, hello: Hello, channel: WorkerChannel) -> ReplicaSession:
        """A replica has said Hello; what it says of itself is still to be `received`.

        Raises:
            Unauthenticated: the token is not that of a replica of this platform, or names another pool than the replica
                is of, or is too old for one that is gone.
            FailedPrecondition: the pool has done with the replica.
        """
        if self._tokens is None:
            raise Unauthenticated("this platform has no replicas over the network", reason=REFUSED)
        session = self._session_of(self._tokens, hello.token)
        if session.channel is not None:
            session.channel.close()
        self._reuse_pool.replicas.opened(session.replica.name, channel)
        return ReplicaSession(self._reuse_pool, session, channel, renewal=self._renewal, leads=self._leads)

    def _session_of(self, tokens: ReplicaTokens, token: str) -> Session:
        expired: TokenExpired | None = None
        try:
            claims = tokens.claims(token)
        except TokenExpired as error:
            claims, expired = error.claims, error
        if claims.kind is not TokenKind.REPLICA:
            raise Unauthenticated("the token is not that of a replica", reason=REFUSED)
        session = self._reuse_pool.session(claims.replica)
        if session is None:
            if expired is not None:
                raise expired
            raise FailedPrecondition(f"replica {claims.replica} was given up", reason="REPLICA_GIVEN_UP", mend="Exit.")
        if expired is not None and not _is_starting(session):
            raise expired
        if not _is_of(claims, session):
            raise Unauthenticated("the token names another pool than the replica is of", reason=REFUSED)
        return session


class ReplicaSession:
    """One stream of one replica."""

    def __init__(
        self,
        reuse_pool: ReusePool,
        session: Session,
        channel: WorkerChannel,
        *,
        renewal: TokenRenewal,
        leads: Callable[[], bool],
    ) -> None:
        renewal.begin_stream(session)
        self._renewal = renewal
        self._reuse_pool = reuse_pool
        self._session = session
        self._channel = channel
        self._leads = leads

    def received(self, reports: Sequence[WorkerReport]) -> None:
        """The replica says something. What comes late on a stream that it has left is said again on its new one."""
        if self._session.given_up:
            self._channel.close()
        elif self._session.channel is self._channel:
            for report in reports:
                if report.WhichOneof("report") == "heartbeat":
                    self._answer(report.heartbeat.sequence)
            self._reuse_pool.replicas.received(self._session.replica.name, reports)

    def closed(self) -> None:
        """The stream has ended; the replica has the rest of its contact time to come back."""
        self._reuse_pool.replicas.closed(self._session.replica.name, self._channel)

    def _answer(self, sequence: int) -> None:
        if sequence and self._leads():
            answer = WorkerOrder(heartbeat_answer=HeartbeatAnswer(sequence=sequence))
            self._channel.send((answer, *self._renewal.due(self._session)))


def _is_starting(session: Session) -> bool:
    """Whether it has never been given a token but that of its start."""
    return session.replica.state is ReplicaState.STARTING and not session.replica.returning


def _is_of(claims: Claims, session: Session) -> bool:
    declaration = session.pool.declaration
    named = (declaration.pool, declaration.scope.project, declaration.scope.domain)
    return (claims.pool, claims.project, claims.domain) == named
