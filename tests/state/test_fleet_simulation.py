"""Several schedulers, pods that outlive them, queues and classes: whatever fails, the promises are kept.

`--seeds N` runs so many seeds, `--seed K` runs exactly one and prints its trace.
"""

from __future__ import annotations

import pytest
from tests.state.fleet.simulation import simulate_fleet

#: Seeds of one test: enough of them that every worker of the test run gets its share.
CHUNK = 15


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spreads the seeds over tests."""
    if "seeds" not in metafunc.fixturenames:
        return
    one = metafunc.config.getoption("--seed")
    if one is not None:
        metafunc.parametrize("seeds", [range(one, one + 1)], ids=[f"seed{one}"])
        return
    count = metafunc.config.getoption("--seeds")
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    metafunc.parametrize("seeds", chunks, ids=[f"seeds{chunk[0]}to{chunk[-1]}" for chunk in chunks])


def test_whatever_fails_the_promises_are_kept(seeds: range) -> None:
    for seed in seeds:
        verdict = simulate_fleet(seed)
        if len(seeds) == 1:
            print("\n".join(verdict.lines))
        assert not verdict.mistakes, f"--seed {seed} shows it again: {verdict.mistakes}"


@pytest.mark.parametrize("seed", range(3, 43, 4))
def test_a_seed_gives_the_same_history_again(seed: int) -> None:
    first, second = simulate_fleet(seed), simulate_fleet(seed)
    assert first.lines == second.lines
    assert first.digest == second.digest
