"""Pools and schedulers that break one promise each, to see whether anybody notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.state.pools.processes import Kit

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import PoolOrder
from flyteplane.reuse_pool.main import ReusePoolService
from flyteplane.scheduler.application.living import Action
from flyteplane.scheduler.clients.pool_stream import PoolStream


class BelievesThatAllGoesOn(PoolStream):
    """What the pool does not hold any more is waited for."""

    def _say_again(self, lease: int) -> None:
        """Does nothing."""


class NeverSettles(PoolStream):
    """The pool is not told that all was said."""

    def _put(self, order: PoolOrder) -> None:
        if not order.HasField("settled"):
            super()._put(order)


class AdoptsNothing(PoolStream):
    """Attempts of the scheduler before are placed anew while they run."""

    def adopt(self, action: Action) -> bool:
        return False


class LosesAtOnce(PoolStream):
    """What the pool does not hold is lost without asking whether it may come back."""

    def _say_again(self, lease: int) -> None:
        self._give_up()


def _judges_too_early(service: ReusePoolService) -> None:
    """Replicas that come back are judged before the scheduler has said what it holds."""
    service.reuse_pool.scheduler._continuity.settle()


def _keeps_nothing(service: ReusePoolService) -> None:
    """What comes back is turned away, and said to be over."""
    replicas = service.reuse_pool.replicas
    for session in replicas._registry.sessions.values():
        session.kept = None


def _forgets_who_was_heard(service: ReusePoolService) -> None:
    """Nobody waits for replicas of an earlier life."""
    service.reuse_pool.scheduler._continuity._returning.clear()


MUTANTS: Final[dict[str, Callable[[], Kit]]] = {
    "believes that all goes on": lambda: Kit(stream=BelievesThatAllGoesOn),
    "never settles": lambda: Kit(stream=NeverSettles),
    "adopts nothing": lambda: Kit(stream=AdoptsNothing, trouble="scheduler_killed"),
    "loses at once": lambda: Kit(stream=LosesAtOnce),
    "keeps nothing": lambda: Kit(spoil=_keeps_nothing),
    "judges too early": lambda: Kit(spoil=_judges_too_early),
    "forgets who was heard": lambda: Kit(spoil=_forgets_who_was_heard),
    "replicas go on for too long": lambda: Kit(told_contact_s=60.0, trouble="replica_cut_off"),
}
