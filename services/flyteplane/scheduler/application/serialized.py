"""With `serialize`, of equal calls at once one computes and the others wait for its result.

Actions of one key queue side by side, and the one that is placed first computes for all of them, unless it waits for
them. Nobody waits for one that only queues: it could wait for what that one holds. Before it begins it reserves the
key with the cache service, so that no other scheduler's action computes it either; meanwhile it keeps its slot. If
somebody else has the key, all of them wait for that one. A cache that cannot be asked is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flyteapi.cache.v1.cache_service_pb2 import CacheEntry
from flyteplane.scheduler.application.cache_keys import Place, is_serialized, owner_of, place_of, source_of, takes
from flyteplane.scheduler.domain.phases import CacheStatus
from flyteplane.scheduler.domain.state import FoundInCache

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2 import ReserveResponse
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.reserving import Reserving
    from flyteplane.scheduler.domain.queueing.slots import Slot


class Computation:
    """Everything that is under way under one key."""

    __slots__ = ("elsewhere", "followers", "leader", "place", "slot", "token")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.leader: Action | None = None
        """Who computes, or is about to."""
        self.slot: Slot | None = None
        """The leader's, while it asks for the reservation."""
        self.token = 0
        """Of the reservation that is held; 0 if none is."""
        self.elsewhere = False
        """Somebody else computes, or the cache cannot say who does."""
        self.followers: dict[Action, None] = {}
        """Those that queue, or wait for the leader's or somebody else's result."""


class Serialized:
    """The computations of one scheduler.

    Args:
        ready: sends an action to admission.
    """

    def __init__(self, *, engine: Engine, reserving: Reserving, ready: Callable[[Action], None]) -> None:
        self._engine = engine
        self._reserving = reserving
        self._ready = ready
        self._computations: dict[Place, Computation] = {}
        reserving.on_answer = self._answered
        reserving.on_ready = self._over_elsewhere

    def compute(self, action: Action) -> None:
        """The action's result is not there. It queues, or waits for one that computes."""
        computation = self._computation(place_of(action))
        computation.followers[action] = None
        leader = computation.leader
        if not computation.elsewhere and (leader is None or self._waits_for(leader, action)):
            self._ready(action)

    def may_begin(self, action: Action, slot: Slot) -> bool:
        """Whether the action begins now, with the slot that there is for it. False: the slot is taken care of."""
        if not is_serialized(action):
            return True
        computation = self._computation(place_of(action))
        leader = computation.leader
        if leader is None and not computation.elsewhere:
            computation.leader, computation.slot = action, slot
            computation.followers.pop(action, None)
            self._reserving.reserve(computation.place, action)
            return False
        if leader is not None and leader is not action and self._waits_for(leader, action):
            self._leave(action)
            return True
        slot.release()
        return False

    def adopted(self, action: Action) -> None:
        """The action is being computed already, by a worker that a scheduler before this one placed."""
        if is_serialized(action):
            computation = self._computation(place_of(action))
            if computation.leader is None:
                computation.leader = action
                self._reserving.reserve(computation.place, action)

    def step_back(self, action: Action) -> None:
        """The attempt of the action has failed, or its wait: if it led, whoever is placed first computes."""
        computation = self._computations.get(place_of(action))
        if computation is not None and computation.leader is action:
            self._depose(computation)

    def finished(self, action: Action) -> int:
        """The action has ended: those that waited for it go on. Returns the token under which it has computed."""
        computation = self._computations.get(place_of(action))
        if computation is None:
            return 0
        if computation.leader is not action:
            self._leave(action)
            return 0
        outputs, token = action.state.outputs, computation.token
        if outputs is None:
            self._depose(computation)
            return 0
        computation.leader, computation.token = None, 0
        self._let_go_of_slot(computation)
        source = f"{action.run.key}/{action.name}"
        mine = [one for one in computation.followers if _joins(one, action)]
        self._give(computation, mine, outputs=outputs, source=source)
        self._go_on(computation)
        return token

    # --- answers of the cache ---------------------------------------------------------------------------------------

    def _answered(self, place: Place, action: Action, answer: ReserveResponse.Result | None) -> None:
        """The cache says who computes; None: it cannot be asked."""
        computation = self._computations.get(place)
        if computation is None or computation.leader is not action:
            if answer is not None and answer.acquired:
                self._reserving.release(place, answer.reservation)
            return
        if action.attempt is not None:
            # It computes already: an adopted one, or one whose reservation was lost and asked for again.
            if answer is not None and answer.acquired:
                computation.token = answer.reservation
            return
        if answer is not None and answer.acquired:
            computation.token = answer.reservation
            self._begin(computation, action)
            return
        if answer is not None and any(owner_of(one) == answer.owner for one in computation.followers):
            # What one of ours held under a leader before this one: that one queues like all others.
            self._reserving.release(place, answer.reservation)
            self._reserving.reserve(place, action)
            return
        computation.leader = None
        computation.followers[action] = None
        self._let_go_of_slot(computation)
        if answer is not None and answer.HasField("entry"):
            self._over_elsewhere(place, answer.entry)
            return
        computation.elsewhere = True
        if answer is None:
            self._engine.mark_cache(action, CacheStatus.FAILED)
            self._reserving.pause(place)
        else:
            self._reserving.wait(place)

    def _begin(self, computation: Computation, action: Action) -> None:
        slot = computation.slot
        if slot is None or action.state.not_before:
            # Its wait has ended meanwhile: it comes back when it may be tried again.
            self._depose(computation)
            return
        computation.slot = None
        if action.state.cache_status is CacheStatus.FAILED:
            self._engine.mark_cache(action, CacheStatus.MISS)
        if not self._engine.begin(action, slot):
            self._depose(computation)

    def _over_elsewhere(self, place: Place, entry: CacheEntry | None) -> None:
        """Somebody else's computation is over, with a value or without one."""
        computation = self._computations.get(place)
        if computation is None:
            return
        computation.elsewhere = False
        if entry is not None:
            now = self._engine.clock.now()
            taking = [one for one in computation.followers if takes(one, entry, now=now)]
            outputs = entry.outputs.SerializeToString()
            self._give(computation, taking, outputs=outputs, source=source_of(entry))
        self._go_on(computation)

    # --- who goes on ------------------------------------------------------------------------------------------------

    def _computation(self, place: Place) -> Computation:
        computation = self._computations.get(place)
        if computation is None:
            computation = self._computations[place] = Computation(place)
        return computation

    def _give(self, computation: Computation, actions: Iterable[Action], *, outputs: bytes, source: str) -> None:
        found = FoundInCache(at=self._engine.clock.now(), outputs=outputs, source=source)
        for action in actions:
            computation.followers.pop(action, None)
            self._engine.apply(action, found)

    def _depose(self, computation: Computation) -> None:
        """The leader computes no more: the key is free, here and elsewhere."""
        if computation.token:
            self._reserving.release(computation.place, computation.token)
        computation.leader, computation.token = None, 0
        self._let_go_of_slot(computation)
        self._go_on(computation)

    def _let_go_of_slot(self, computation: Computation) -> None:
        slot, computation.slot = computation.slot, None
        if slot is not None:
            slot.release()
            self._engine.turn.schedule()

    def _go_on(self, computation: Computation) -> None:
        """One of each lane queues: what keeps it from being placed keeps all of its lane, and a thousand that are woken
        to learn that one of them computes are a herd."""
        queued = {_lane(one) for one in computation.followers if one in self._engine.admission}
        for action in tuple(computation.followers):
            if computation.leader is not None or computation.elsewhere:
                return
            lane = _lane(action)
            if lane not in queued and action in computation.followers and not action.state.not_before:
                queued.add(lane)
                self._ready(action)
        if not computation.followers and computation.leader is None:
            self._computations.pop(computation.place, None)

    def _leave(self, action: Action) -> None:
        computation = self._computations.get(place_of(action))
        if computation is not None and action in computation.followers:
            del computation.followers[action]
            self._go_on(computation)

    def _waits_for(self, leader: Action, action: Action) -> bool:
        """True if the leader cannot end before the action does: they would wait for each other for ever.

        Parents wait for their children, and the followers of a leader for it.
        """
        seen: set[Action] = set()
        unvisited = [action]
        while unvisited:
            ancestor = unvisited.pop().parent
            while ancestor is not None and ancestor not in seen:
                if ancestor is leader:
                    return True
                seen.add(ancestor)
                led = self._led_by(ancestor)
                if led is not None:
                    unvisited.extend(other for other in led.followers if other not in self._engine.admission)
                ancestor = ancestor.parent
        return False

    def _led_by(self, action: Action) -> Computation | None:
        if not action.cache_key or not is_serialized(action):
            return None
        computation = self._computations.get(place_of(action))
        return computation if computation is not None and computation.leader is action else None


def _lane(action: Action) -> tuple[object, ...]:
    """What decides whether there is room for an action."""
    return action.run.key, action.queue, action.task.digest


def _joins(follower: Action, leader: Action) -> bool:
    """A run that computes everything again takes only what it has computed itself."""
    return follower.run is leader.run or not follower.run.settings.overwrite_cache
