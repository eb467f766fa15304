"""Runs seeds outside of the tests: `python -m tests.state.fleet FIRST [LAST]`. One seed prints its trace."""

from __future__ import annotations

import logging
import sys

from tests.state.fleet.simulation import simulate_fleet


def main(first: int, last: int) -> int:
    """The number of seeds that went wrong."""
    logging.disable(logging.CRITICAL)
    wrong = 0
    for seed in range(first, last + 1):
        verdict = simulate_fleet(seed)
        if first == last:
            print("\n".join(verdict.lines))
        if verdict.mistakes:
            wrong += 1
            print(f"seed {seed}: {verdict.mistakes}")
    print(f"{last - first + 1} seeds, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(bool(main(given[0], given[-1])))
