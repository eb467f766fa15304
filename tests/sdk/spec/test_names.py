"""Names: one table of grammars and limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.names import RULES, NameKind, check_environment_name, check_labels, check_name, is_name, task_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (NameKind.ENVIRONMENT, "my_env"),
        (NameKind.ENVIRONMENT, "my-env-2"),
        (NameKind.TASK, "my_env.my_task"),
        (NameKind.RUN, "my-run"),
        (NameKind.PROJECT, "flytesnacks"),
        (NameKind.QUEUE, "gcp-useast1-1"),
        (NameKind.SECRET_KEY, "db-credentials"),
        (NameKind.SERVICE_ACCOUNT, "team.reader"),
        (NameKind.LABEL_KEY, "example.com/team"),
        (NameKind.LABEL_VALUE, ""),
    ],
)
def test_usual_names_are_accepted(kind: Any, name: Any) -> None:
    assert check_name(name, kind=kind) == name
    assert is_name(name, kind=kind)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (NameKind.ENVIRONMENT, "Bad Name"),
        (NameKind.ENVIRONMENT, "a__b"),
        (NameKind.TASK, "my_env"),
        (NameKind.TASK, "my_env.1a"),
        (NameKind.RUN, "1run"),
        (NameKind.RUN, "run\n"),
        (NameKind.PROJECT, "a/b"),
        (NameKind.QUEUE, ""),
        (NameKind.SECRET_KEY, "a b"),
        (NameKind.LABEL_VALUE, "-"),
    ],
)
def test_malformed_names_are_refused_with_the_grammar(kind: Any, name: Any) -> None:
    with pytest.raises(InvalidSetting, match="malformed"):
        check_name(name, kind=kind)


@pytest.mark.parametrize("kind", list(NameKind))
def test_every_kind_has_a_limit_that_is_named(kind: Any) -> None:
    with pytest.raises(InvalidSetting, match=f"limit is {RULES[kind].max_length}"):
        check_name("a" * (RULES[kind].max_length + 1), kind=kind)


def test_a_name_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidSettingType, match="to be of type str"):
        check_name(5, kind=NameKind.RUN)


@given(st.text(max_size=70))
def test_a_run_name_is_always_a_dns_label(name: Any) -> None:
    if is_name(name, kind=NameKind.RUN):
        assert name.isascii()
        assert name[0].isalpha()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_labels_are_checked_by_key_and_value() -> None:
    assert check_labels({"team": "a"}) == {"team": "a"}
    with pytest.raises(InvalidSetting, match="labels"):
        check_labels({"team": "a b"})


def test_the_full_name_of_a_task_is_its_environment_and_function() -> None:
    assert task_name(environment="my_env", function="my_task") == "my_env.my_task"
    assert check_environment_name("my_env") == "my_env"
