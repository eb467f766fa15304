"""Reservations of cache keys, as one scheduler holds them: asked for and given back in batches, and kept alive.

The owner of a reservation is an action, not a process or an attempt: whoever leads next and goes on with the action has
its reservation too. What was given back is given back before anything is asked for, so that an action never gets a
reservation again that is about to go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, ExtendRequest, ReleaseRequest, ReserveRequest
from flyteplane.foundation.errors import PlatformError
from flyteplane.scheduler.application.cache_keys import Place, key_at, max_age_of, owner_of, place_at

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2 import ReserveResponse
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import CacheClient

#: A reservation that is not extended for so long ends: longer than a change of leaders takes.
TTL_S: Final = 30.0
EXTENSIONS_IN_TTL: Final = 3
#: Pauses before the cache is asked again after it could not be: doubling between these bounds.
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
#: Most items of one call.
BATCH: Final = 500


class Reserving:
    """Calls the cache for `Serialized`, which is told by two callbacks."""

    def __init__(self, *, cache: CacheClient, clock: TimerClock, background: BackgroundTasks) -> None:
        self._cache = cache
        self._clock = clock
        self._background = background
        self.on_answer: Callable[[Place, Action, ReserveResponse.Result | None], None]
        """Told what became of a reservation; None: the cache could not be asked."""
        self.on_ready: Callable[[Place, CacheEntry | None], None]
        """Told that a key has a value, or that it may be asked for again."""
        self._wanted: list[tuple[Place, Action]] = []
        self._over: list[tuple[Place, int]] = []
        self._calling = False
        self._held: dict[Place, tuple[int, Action]] = {}
        self._keeping = False
        self._awaited: list[Place] = []
        self._failures = 0

    def reserve(self, place: Place, action: Action) -> None:
        """Asks for a reservation, or for the one that the action has already."""
        self._wanted.append((place, action))
        self._call()

    def release(self, place: Place, token: int) -> None:
        """Gives a reservation back. If that cannot be told, it ends by itself."""
        self.forget(place, token)
        self._over.append((place, token))
        self._call()

    def forget(self, place: Place, token: int) -> None:
        """The reservation is not kept alive any longer: a store under it is on its way and ends it."""
        held = self._held.get(place)
        if held is not None and held[0] == token:
            del self._held[place]

    def wait(self, place: Place) -> None:
        """Calls `on_ready` once somebody else's computation is over."""
        self._awaited.append(place)
        if len(self._awaited) == 1:
            self._background.start(self._wait(), name="wait for computations")

    def pause(self, place: Place) -> None:
        """Calls `on_ready` after a pause: the cache cannot say who computes."""
        self._background.start(self._pause([place]), name="wait for the cache")

    def pause_s(self) -> float:
        """How long to leave a cache alone that could not be asked just now."""
        self._failures += 1
        return float(min(FIRST_PAUSE_S * 2.0 ** (self._failures - 1), LONGEST_PAUSE_S))

    def answered(self) -> None:
        """The cache has answered: the next pause is short again."""
        self._failures = 0

    # --- calls ------------------------------------------------------------------------------------------------------

    def _call(self) -> None:
        if not self._calling:
            self._calling = True
            self._background.start(self._calls(), name="reservations")

    async def _calls(self) -> None:
        try:
            while self._wanted or self._over:
                over, self._over = self._over[:BATCH], self._over[BATCH:]
                if over:
                    # One that cannot be given back ends by itself.
                    with suppress(PlatformError):
                        items = [ReleaseRequest.Item(key=key_at(place), reservation=token) for place, token in over]
                        await self._cache.release(items)
                    continue
                wanted, self._wanted = self._wanted[:BATCH], self._wanted[BATCH:]
                await self._reserve(wanted)
        finally:
            self._calling = False

    async def _reserve(self, wanted: Sequence[tuple[Place, Action]]) -> None:
        items = [
            ReserveRequest.Item(
                key=key_at(place),
                owner=owner_of(action),
                max_age=max_age_of(action),
                overwrite=action.run.settings.overwrite_cache,
            )
            for place, action in wanted
        ]
        answers: Sequence[ReserveResponse.Result | None]
        try:
            answers = await self._cache.reserve(items, ttl_s=TTL_S)
            self.answered()
        except PlatformError:
            answers = [None] * len(wanted)
        for (place, action), answer in zip(wanted, answers, strict=True):
            if answer is not None and answer.acquired:
                self._held[place] = (answer.reservation, action)
            self.on_answer(place, action, answer)
        if self._held and not self._keeping:
            self._keeping = True
            self._background.start(self._keep(), name="keep reservations")

    # --- keeping ----------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        try:
            while self._held:
                await self._clock.sleep(TTL_S / EXTENSIONS_IN_TTL)
                held = list(self._held.items())
                for start in range(0, len(held), BATCH):
                    await self._extend(held[start : start + BATCH])
        finally:
            self._keeping = False

    async def _extend(self, held: Sequence[tuple[Place, tuple[int, Action]]]) -> None:
        items = [ExtendRequest.Item(key=key_at(place), reservation=token) for place, (token, _) in held]
        try:
            extended = await self._cache.extend(items)
        except PlatformError:
            return  # There are two more chances in the life of a reservation.
        for (place, (token, action)), lives in zip(held, extended, strict=True):
            if not lives and self._held.get(place) == (token, action):
                # Perhaps nobody has taken it since; whoever has will have this computation's store refused.
                del self._held[place]
                self.reserve(place, action)

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        places, self._awaited = self._awaited, []
        for start in range(0, len(places), BATCH):
            batch = dict.fromkeys(places[start : start + BATCH])
            self._background.start(self._wait_for(batch), name="wait for computations")

    async def _wait_for(self, places: dict[Place, None]) -> None:
        try:
            async for ready in self._cache.wait([key_at(place) for place in places]):
                self.answered()
                place = place_at(ready.key)
                if place in places:
                    del places[place]
                    self.on_ready(place, ready.entry if ready.HasField("entry") else None)
        except PlatformError:
            pass
        if places:
            await self._pause(list(places))

    async def _pause(self, places: Sequence[Place]) -> None:
        await self._clock.sleep(self.pause_s())
        for place in places:
            self.on_ready(place, None)
