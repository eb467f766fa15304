"""Carries out what pools decided: tells replicas and the scheduler, has replicas started and stopped, sets the timer.

Nothing here decides. Effects are carried out in order and at once; what takes time (starting and stopping) goes on in
the background and comes back as an event of its own.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from flyteapi.scheduler.v1.worker_service_pb2 import Drain as DrainOrder
from flyteapi.scheduler.v1.worker_service_pb2 import EndAccepted, WorkerOrder
from flyteplane.reuse_pool.application.registry import Registry
from flyteplane.reuse_pool.application.sessions import OpenPool
from flyteplane.reuse_pool.application.token_renewal import TokenRenewal
from flyteplane.reuse_pool.domain.effects import (
    Assign,
    Cancel,
    Drain,
    Effect,
    Forget,
    Lose,
    Recheck,
    Refuse,
    Start,
    Stop,
)

_DRAIN: Final = WorkerOrder(drain=DrainOrder())


class Lifecycle(Protocol):
    """Starts and stops replicas in the background."""

    def start(self, effect: Start, pool: OpenPool) -> None:
        """Start a replica."""

    def stop(self, effect: Stop) -> None:
        """Stop a replica."""


class Timekeeper(Protocol):
    """Wakes pools."""

    def set(self, at: float) -> None:
        """Make sure that pools are woken at that time, or earlier."""


class EffectRunner:
    """See the module. `drains` is told the name of each replica that is told to drain."""

    drains: Callable[[str], None]

    def __init__(
        self, registry: Registry, *, lifecycle: Lifecycle, timekeeper: Timekeeper, renewal: TokenRenewal
    ) -> None:
        self._registry = registry
        self._renewal = renewal
        self._lifecycle = lifecycle
        self._timekeeper = timekeeper

    def run(self, pool: OpenPool, effects: Sequence[Effect]) -> None:
        """Carry out the effects of one event of a pool. Orders to replicas go out with the next `Registry.flush`."""
        for effect in effects:
            match effect:
                case Assign():
                    self._assign(effect)
                case Forget():
                    self._forget(effect)
                case Cancel(attempt, replica, reason):
                    order = WorkerOrder(lease=attempt.lease)
                    order.cancel.reason = reason
                    self._order(replica.name, order)
                case Lose():
                    self._lose(effect)
                case Refuse():
                    self._refuse(effect)
                case Start():
                    self._lifecycle.start(effect, pool)
                case Drain(replica):
                    self._order(replica.name, _DRAIN)
                    self.drains(replica.name)
                case Stop():
                    self._lifecycle.stop(effect)
                case Recheck(at):
                    self._timekeeper.set(at)
        if pool.state.trouble != pool.told_trouble:
            self._tell_trouble(pool)
        self._timekeeper.set(pool.state.wake_at)

    def _tell_trouble(self, pool: OpenPool) -> None:
        pool.told_trouble = pool.state.trouble
        if self._registry.outbox is not None:
            self._registry.outbox.trouble(pool.state.name, pool.told_trouble)

    def _assign(self, effect: Assign) -> None:
        attempt, replica = effect
        registry = self._registry
        held = registry.held[attempt.lease]
        session = registry.sessions[replica.name]
        held.session = session
        session.introduce(held)
        self._renewal.before_giving(held)
        order = WorkerOrder(lease=attempt.lease, assign=held.assign)
        if session.secrets.env:
            order.assign.secret_env.update(session.secrets.env)
        if session.secrets.files:
            order.assign.secret_files.update(session.secrets.files)
        session.orders.append(order)
        registry.to_flush[session] = None
        if registry.outbox is not None:
            registry.outbox.placed(attempt.lease, replica.name, attempt.slot.value)

    def _forget(self, effect: Forget) -> None:
        """A revoked lease is over; a replica that repeats its end is to stop doing so."""
        held = self._registry.held.pop(effect.attempt.lease, None)
        if held is not None and held.session is not None:
            order = WorkerOrder(lease=effect.attempt.lease, end_accepted=EndAccepted())
            self._order(held.session.replica.name, order)

    def _lose(self, effect: Lose) -> None:
        self._registry.held.pop(effect.attempt.lease, None)
        attempt, reason, message, culprit, exit_code, signal = effect
        self._registry.ends.lost(attempt.lease, reason, message, culprit=culprit, exit_code=exit_code, signal=signal)

    def _refuse(self, effect: Refuse) -> None:
        self._registry.held.pop(effect.attempt.lease, None)
        attempt, reason, message, retryable = effect
        self._registry.ends.refused(attempt.lease, reason, message, retryable=retryable)

    def _order(self, replica: str, order: WorkerOrder) -> None:
        session = self._registry.sessions.get(replica)
        if session is not None and not session.given_up:
            session.orders.append(order)
            self._registry.to_flush[session] = None
