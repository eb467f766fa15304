"""Tokens of replicas in pods, and of attempts on them, are short-lived: a replica is given the next over its stream.

Nobody goes through all attempts at each heartbeat. Once in a quarter of a token's time everything is renewed that is a
quarter of that time old, so none is older than half of it. What a replica was given by an earlier life of the service,
or over an earlier stream, counts as old.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from flyteapi.scheduler.v1.worker_service_pb2 import TokenRenewed, WorkerOrder

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock
    from flyteplane.reuse_pool.application.ports import ReplicaTokens
    from flyteplane.reuse_pool.application.registry import Registry
    from flyteplane.reuse_pool.application.sessions import Held, Session

_PART: Final = 0.25


class TokenRenewal:
    """See the module.

    Args:
        tokens: None on a platform without replicas over the network: there is nothing to renew.
    """

    def __init__(self, registry: Registry, *, tokens: ReplicaTokens | None, clock: Clock) -> None:
        self._registry = registry
        self._tokens = tokens
        self._clock = clock
        self._after_s = _PART * tokens.ttl_s if tokens is not None else 0.0

    def before_giving(self, held: Held) -> None:
        """An attempt is about to be given to a replica: it may have waited for long, and its token with it."""
        if self._tokens is not None and held.assign.attempt_token and self._is_old(held.token_made_at):
            held.assign.attempt_token = self._new_token(held)

    def begin_stream(self, session: Session) -> None:
        """A replica has a new stream: tokens that were on their way over the one before may be lost."""
        session.tokens_renewed_at = -math.inf
        for lease in session.replica.attempts:
            if (held := self._registry.held.get(lease)) is not None:
                held.token_made_at = -math.inf

    def due(self, session: Session) -> list[WorkerOrder]:
        """What a replica has to be given now; asked when a heartbeat of it is answered."""
        if self._tokens is None or not self._is_old(session.tokens_renewed_at):
            return []
        session.tokens_renewed_at = self._clock.monotonic()
        own = self._tokens.hello_token(session.pool.declaration, replica=session.replica.name)
        orders = [WorkerOrder(token_renewed=TokenRenewed(token=own))]
        for lease in session.replica.attempts:
            held = self._registry.held.get(lease)
            if held is not None and held.assign.attempt_token and self._is_old(held.token_made_at):
                renewed = TokenRenewed(token=self._new_token(held))
                orders.append(WorkerOrder(lease=lease, token_renewed=renewed))
        return orders

    def _new_token(self, held: Held) -> str:
        assert self._tokens is not None
        held.token_made_at = self._clock.monotonic()
        return self._tokens.attempt_token(held.assign, lease=held.attempt.lease)

    def _is_old(self, made_at: float) -> bool:
        return self._clock.monotonic() - made_at >= self._after_s
