"""`cache=` in every form and at every level, in local runs and on a platform alike."""

from __future__ import annotations

import secrets

import pytest
from tests.semantics.conftest import Place
from tests.semantics.programs import cached


@pytest.fixture
def seed() -> int:
    return secrets.randbelow(10**9)


def test_the_more_specific_level_wins_and_every_form_counts(place: Place, seed: int) -> None:
    different = {
        *("decorator over environment", "override over environment", "without any", "given version and another"),
        *("other inputs", "salts", "policies", "no age"),
    }
    same = {
        *("environment", "override over decorator", "override", "given version", "one salt", "one policy", "an hour"),
        *("order of dicts and sets", "default given and left out"),
    }
    found = place.result(cached.levels, seed)
    assert {name for name, equal in found.items() if equal} == same
    assert {name for name, equal in found.items() if not equal} == different


def test_each_element_of_a_map_is_cached_with_its_bound_arguments(place: Place, seed: int) -> None:
    first, other_note, other_factor = place.result(cached.elements, seed)
    assert len(set(first)) == 3
    assert first == other_note
    assert set(first).isdisjoint(other_factor)


def test_equal_content_is_the_same_input_wherever_it_lies(place: Place, seed: int) -> None:
    pytest.importorskip("pyarrow")
    found = place.result(cached.contents, seed)
    same = {"file", "folder", "frame"}
    assert found == {name: name in same for name in found}


def test_a_result_whose_data_is_gone_is_computed_again(place: Place, seed: int) -> None:
    assert place.result(cached.lost_objects, seed) == [True, True, True, True]


def test_of_equal_calls_at_once_one_computes(place: Place, seed: int) -> None:
    assert place.result(cached.many_alone, seed) == 1


def test_a_run_may_compute_everything_again_or_leave_the_cache_alone(place: Place, seed: int) -> None:
    first = place.result(cached.of_this_run, seed)
    apart = place.result(cached.of_this_run, seed, disable_run_cache=True)
    again = place.result(cached.of_this_run, seed, overwrite_cache=True)
    assert len({first, apart, again}) == 3
    assert place.result(cached.of_this_run, seed) == again


def test_results_may_be_shared_more_widely_and_are_not_otherwise(place: Place, seed: int) -> None:
    results = {
        (domain, scope): place.result(cached.of_this_run, seed, domain=domain, cache_lookup_scope=scope)
        for domain in ("development", "staging")
        for scope in ("project-domain", "global")
    }
    assert results["development", "global"] == results["staging", "global"]
    assert len(set(results.values())) == 3
