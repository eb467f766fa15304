"""Schedulers, reuse pools and replicas that die at any moment: whatever fails, the promises are kept.

`--seeds N` runs a third as many seeds, `--seed K` runs exactly one and prints its trace.
"""

from __future__ import annotations

import pytest
from tests.state.pools.mutants import MUTANTS
from tests.state.pools.simulation import simulate_pools

#: Seeds of one test: enough of them that every worker of the test run gets its share.
CHUNK = 20
MOST_SEEDS = 60


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spreads the seeds over tests."""
    if "seeds" not in metafunc.fixturenames:
        return
    one = metafunc.config.getoption("--seed")
    if one is not None:
        metafunc.parametrize("seeds", [range(one, one + 1)], ids=[f"seed{one}"])
        return
    count = metafunc.config.getoption("--seeds") // 3
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    metafunc.parametrize("seeds", chunks, ids=[f"seeds{chunk[0]}to{chunk[-1]}" for chunk in chunks])


def test_whatever_fails_the_promises_are_kept(seeds: range) -> None:
    for seed in seeds:
        verdict = simulate_pools(seed)
        if len(seeds) == 1:
            print("\n".join(verdict.lines))
        assert not verdict.mistakes, f"--seed {seed} shows it again: {verdict.mistakes}"


@pytest.mark.parametrize("seed", range(3, 43, 8))
def test_a_seed_gives_the_same_history_again(seed: int) -> None:
    first, second = simulate_pools(seed), simulate_pools(seed)
    assert first.lines == second.lines
    assert first.digest == second.digest


@pytest.mark.parametrize("name", MUTANTS)
def test_pools_that_break_a_promise_are_found_out(name: str) -> None:
    """A simulation that never complains proves nothing."""
    found = any(simulate_pools(seed, kit=MUTANTS[name]()).mistakes for seed in range(MOST_SEEDS))
    assert found, f"nobody noticed in {MOST_SEEDS} seeds"
