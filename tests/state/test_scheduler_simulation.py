"""Programs give their known results whatever dies under way.

Each seed is one test, so that one that fails can be run again by its name: `-k "seed17-"`. More of them:
`FLYTE_SIMULATION_SEEDS=5000`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.state.simulation import simulate

SEEDS = int(os.environ.get("FLYTE_SIMULATION_SEEDS", "200"))


@pytest.mark.parametrize("seed", range(SEEDS), ids=lambda seed: f"seed{seed}-")
async def test_programs_return_what_they_should(seed: int, tmp_path: Path) -> None:
    assert await simulate(seed, tmp_path) == []


@pytest.mark.parametrize("seed", range(SEEDS // 20), ids=lambda seed: f"seed{seed}-")
async def test_programs_return_what_they_should_on_a_database_file(seed: int, tmp_path: Path) -> None:
    assert await simulate(seed, tmp_path, sqlite=True) == []
