"""The cache's use cases over stores that outlive them, so that a service can be killed at any of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from flyteplane.cache.application.computations import Computations, Granted, Wanted
from flyteplane.cache.application.results import Results
from flyteplane.cache.application.waiting import Waiting
from flyteplane.cache.domain.entries import Entry, EntryKey, Item, PutOutcome
from flyteplane.cache.domain.limits import CacheLimits
from flyteplane.cache.store.memory_entries import MemoryEntries
from flyteplane.cache.store.reservations import CoordinatedReservations
from flyteplane.cache.store.stored_objects import EverythingIsThere
from flyteplane.coordination.memory import MemoryCoordination
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.tasks import BackgroundTasks

TTL_S = 30.0


class Killed(BaseException):
    """The process is gone."""


class Deadly:
    """Stands before a store: counts calls, and is deadly just before or just after one of them."""

    def __init__(self, target: Any, strike: Callable[[bool], None]) -> None:
        self._target = target
        self._strike = strike

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._strike(True)
            result = await found(*args, **kwargs)
            self._strike(False)
            return result

        return call


class Stage:
    """Stores, and one service after another on them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.coordination = MemoryCoordination(clock=self.clock, initial_revision=1000)
        self.entries = MemoryEntries()
        self.calls = 0
        self.deadly_at: tuple[int, bool] | None = None
        """The number of the call at which the process dies, and whether that is before its effect."""
        self.start()

    def start(self) -> None:
        """Starts the next service; the one before it is simply forgotten."""
        entries: Any = Deadly(self.entries, self._strike)
        coordination: Any = Deadly(self.coordination, self._strike)
        background = BackgroundTasks("stage")
        reservations = CoordinatedReservations(coordination, next_era=entries.next_era)
        self.waiting = Waiting(reservations, clock=self.clock)
        self.results = Results(entries=entries, objects=EverythingIsThere(), clock=self.clock, limits=CacheLimits())
        self.computations = Computations(
            entries=entries,
            results=self.results,
            reservations=reservations,
            waiting=self.waiting,
            background=background,
            clock=self.clock,
        )
        self.results.on_put = self.computations.put

    async def reserve(self, key: EntryKey, owner: str, *, overwrite: bool = False) -> Granted:
        """Reserves one key."""
        wanted = Wanted(key=key, owner=owner, overwrite=overwrite)
        return (await self.computations.reserve([wanted], ttl_s=TTL_S))[0]

    async def put(self, key: EntryKey, owner: str, token: int, *, overwrite: bool = False) -> PutOutcome:
        """Stores what the owner has computed."""
        entry = Entry(key=key, outputs=owner.encode(), producer=f"p/d/{owner}/a0", task_name="e.t", cache_version="1")
        (outcome,) = await self.results.put([Item(entry=entry, reservation=token, overwrite=overwrite)])
        return outcome

    async def value(self, key: EntryKey) -> bytes | None:
        """What is found under a key."""
        (entry,) = await self.results.lookup([(key, None)])
        return None if entry is None else entry.outputs

    def pass_time(self, seconds: float) -> None:
        """Time passes; reservations that are not extended end."""
        self.clock.advance(seconds)

    def _strike(self, before: bool) -> None:
        if before:
            self.calls += 1
        if self.deadly_at == (self.calls, before):
            self.deadly_at = None
            raise Killed


def key(number: int = 1) -> EntryKey:
    """A key."""
    return EntryKey("p", "d", bytes([number]) * 32)
