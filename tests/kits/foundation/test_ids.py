"""Ids have their form, and a seed repeats them."""

from __future__ import annotations

import re

import pytest

from flyteplane.foundation.ids import IdSource, SeededIds, SystemIds


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(3)])
def test_forms(ids: IdSource) -> None:
    assert re.fullmatch(r"r[0-9a-z]{19}", ids.run_name())
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", ids.unique())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", ids.unique(32))
    assert 0 <= ids.fraction() < 1


def test_no_two_are_alike() -> None:
    ids = SystemIds()
    assert len({ids.run_name() for _ in range(500)} | {ids.unique() for _ in range(500)}) == 1000


def test_the_same_seed_gives_the_same_ids() -> None:
    def some(seed: int) -> list[object]:
        ids = SeededIds(seed)
        return [ids.run_name(), ids.unique(), ids.fraction()]

    assert some(1) == some(1)
    assert some(1) != some(2)
