"""A simulation that never complains proves nothing: each fleet that breaks a promise must be found out."""

from __future__ import annotations

import pytest
from tests.state.fleet.mutants import MUTANTS
from tests.state.fleet.simulation import simulate_fleet

MOST_SEEDS = 120


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fleet_that_breaks_a_promise_is_found_out(name: str) -> None:
    found = any(simulate_fleet(seed, kit=MUTANTS[name]()).mistakes for seed in range(MOST_SEEDS))
    assert found, f"nobody noticed in {MOST_SEEDS} seeds"
