"""What a task finds around itself, in local runs and on a platform alike."""

from __future__ import annotations

import secrets

import pytest
from tests.semantics.conftest import Place
from tests.semantics.programs import places


def test_a_task_knows_its_run_action_group_and_custom_context(place: Place) -> None:
    name = f"r{secrets.token_hex(6)}"
    context = {"name": name, "custom_context": {"team": "red"}, "env_vars": {"RUN": "yes", "LEVEL": "run"}}
    own, inside, first, second, overridden = place.result(places.parent, **context)
    everywhere = {"run": name, "attempt": "0", "same": "True", "truth": "True"} | {
        "RUN": "yes",
        "FLYTE_RUN_NAME": name,
        "FLYTE_PROJECT": "flytesnacks",
    }
    for found in (own, inside, first, second, overridden):
        assert {key: found[key] for key in everywhere} == everywhere
    assert (own["action"], own["team"], own["group"], own["LEVEL"]) == ("a0", "red", "", "environment")
    assert (inside["team"], inside["floor"], inside["group"]) == ("blue", "", "")
    assert (first["team"], first["floor"], first["group"]) == ("blue", "3", "first")
    assert (overridden["team"], overridden["LEVEL"]) == ("red", "override")
    assert len({found["action"] for found in (own, inside, first, second, overridden)}) == 5


def test_variables_of_the_task_go_before_those_of_the_run_and_these_before_those_of_the_image(place: Place) -> None:
    found = place.result(places.who_gave_them, env_vars={"RUN": "run", "LEVEL": "run"})
    assert found == {"OF_IMAGE": "image", "RUN": "run", "LEVEL": "environment"}


def test_children_have_the_same_names_in_every_run(place: Place) -> None:
    names = [[found["action"] for found in place.result(places.parent)] for _ in range(2)]
    assert names[0] == names[1]


def test_equal_calls_of_a_cached_task_are_computed_once(place: Place) -> None:
    assert place.result(places.cache_at_work, secrets.randbelow(10**9)) == [True, True, True, True]


@pytest.fixture
def kept(place: Place) -> Place:
    """The place, with the secrets that the tasks ask for."""
    for words, value in (
        (("SEMANTICS_KEY",), "open sesame"),
        (("semantics-token", "--group", "team"), "team token"),
    ):
        if words[0] not in place.flyte("get", "secret"):
            place.flyte("create", "secret", *words, stdin=value)
    return place


def test_secrets_are_variables_of_the_tasks_that_ask_for_them(kept: Place) -> None:
    assert kept.result(places.reads_secrets) == ["emases nepo", "nekot maet"]


def test_a_secret_may_be_a_file_and_is_no_variable_then(kept: Place) -> None:
    assert kept.result(places.reads_secret_file) == ["emases nepo", "False"]


def test_a_secret_that_is_not_there_is_named(place: Place) -> None:
    assert place.result(places.secret_that_is_not_there) == "SECRET_NOT_FOUND True"
