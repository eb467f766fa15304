"""The simulation with a cache that goes down and comes back, and that loses reservations under those who compute."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.state.simulation import Simulation

SEEDS = 60
#: Steps for which the cache stays away at most: what waits for it goes on asking for as long.
MOST_STEPS_AWAY = 25


class UnsteadyCache(Simulation):
    """One seed; the troubles of the cache come from a source of their own."""

    def __init__(self, seed: int, folder: Path, **options: Any) -> None:
        super().__init__(seed, folder, **options)
        self._own = Random(-1 - seed)
        self._away = 0
        self._troubles = 6

    async def _trouble(self) -> None:
        await super()._trouble()
        cache, chance = self.world.cache, self._own.random()
        if cache.down:
            self._away -= 1
            cache.down = self._away > 0
        elif self._troubles and chance < 0.06:
            self._troubles -= 1
            self._away = self._own.randint(1, MOST_STEPS_AWAY)
            cache.go_down()
        elif self._troubles and chance < 0.12:
            self._troubles -= 1
            cache.lapse()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_programs_return_what_they_should_whatever_the_cache_does(seed: int, tmp_path: Path) -> None:
    assert await UnsteadyCache(seed, tmp_path).run() == []
