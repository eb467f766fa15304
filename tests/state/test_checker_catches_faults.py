"""A checker that never complains proves nothing: each known fault must be found within a few seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.state import faults
from tests.state.simulation import simulate

MOST_SEEDS = 60

STORES = [faults.AnswersBeforeTheCommit, faults.LosesWrites, faults.StoresTheNewestFirst]
ENGINES = [
    faults.IgnoresLeases,
    faults.GivesLeasesOutAgain,
    faults.ChargesTwice,
    faults.ChargesNobody,
    faults.ForgetsAWaiter,
    faults.AnswersTwice,
    faults.KeepsRoom,
    faults.LeavesOrphans,
    faults.ForgetsRetries,
    faults.KeepsNoLimit,
    faults.WritesWhatItForgot,
]


async def _seeds_until_caught(folder: Path, options: Callable[[], dict[str, Any]]) -> int:
    for seed in range(MOST_SEEDS):
        if await simulate(seed, folder, **options()):
            return seed + 1
    raise AssertionError(f"nobody noticed in {MOST_SEEDS} seeds")


@pytest.mark.parametrize("store", STORES, ids=lambda fault: fault.__name__)
async def test_a_store_that_breaks_its_word_is_noticed(store: type, tmp_path: Path) -> None:
    assert await _seeds_until_caught(tmp_path, lambda: {"hold": store})


@pytest.mark.parametrize("engine", ENGINES, ids=lambda fault: fault.__name__)
async def test_an_engine_that_breaks_a_promise_is_noticed(engine: type, tmp_path: Path) -> None:
    assert await _seeds_until_caught(tmp_path, lambda: {"engine": engine})


async def test_a_store_without_a_fence_is_noticed(tmp_path: Path) -> None:
    assert await _seeds_until_caught(tmp_path, lambda: {"memory": faults.NoFence()})
