"""Reservations: a large demand does not starve behind small ones.

A shape of which nothing could be placed for `after_s` seconds, because room was missing, gets the room that it waits
for reserved: others that came to wait later are held back from it until the shape fits. Of several the one that has
waited longest has the claim, whatever room it is; it is held back by nobody, so that no two wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection

from flyteplane.scheduler.domain.queueing.rooms import Room
from flyteplane.scheduler.domain.queueing.shapes import NEVER, Shape


class Reservations:
    """Who has a claim to what, looked at when time has come and not in every cycle."""

    __slots__ = ("_after_s", "_claims", "_look_at")

    def __init__(self, *, after_s: float) -> None:
        self._after_s = after_s
        self._look_at = NEVER
        self._claims: dict[Shape, None] = {}

    def blocked(self, shape: Shape) -> None:
        """The shape waits for room."""
        self._look_at = min(self._look_at, shape.blocked_at + self._after_s)

    def forget(self) -> None:
        """All shapes are made anew."""
        self._look_at = NEVER
        self._claims.clear()

    def settle(self, now: float, *, quotas: Collection[Room], clusters: Collection[Room]) -> None:
        """Lifts claims of shapes of which nothing may run at present, and makes those that are due."""
        for shape in list(self._claims):
            if not shape.reserves:
                del self._claims[shape]
                self._look_at = now
            elif shape.front() is None:
                shape.lift()
                del self._claims[shape]
                self._look_at = now
        if now < self._look_at:
            return
        self._look_at = NEVER
        for room in quotas:
            self._reserve(room, now, others=())
        for room in clusters:
            self._reserve(room, now, others=clusters)

    def _reserve(self, room: Room, now: float, *, others: Collection[Room]) -> None:
        """Reserves one room. A shape that may run on several clusters gets one of them."""
        for shape in sorted(room.blocked, key=_claim):
            if room.reserved is not None and not shape.goes_before(room.reserved):
                return
            due = shape.blocked_at + self._after_s
            if now < due:
                self._look_at = min(self._look_at, due)
                return
            if not room.reachable or any(one in others for one in shape.reserves):
                continue
            if shape.front() is None:
                # Limits of its queues keep it from running; it is looked at again later.
                self._look_at = min(self._look_at, now + self._after_s)
                continue
            if room.reserved is not None:
                room.reserved.reserves.remove(room)
            room.reserved = shape
            shape.reserves.append(room)
            self._claims[shape] = None
            return


def _claim(shape: Shape) -> tuple[float, int]:
    return (shape.blocked_at, shape.number)
