"""Cache requests and versions."""

import copy
import pickle
from datetime import timedelta
from typing import Any

import pytest

from flyte.spec.cache import Cache, FunctionBodyPolicy, VersionParameters, normalise_cache
from flyte.spec.image import Image
from flyte.spec.problems import InvalidSetting, InvalidSettingType


def make_one() -> Any:
    def body(x: Any) -> Any:
        return x + 1

    return body


def make_same_with_comment() -> Any:
    def body(x: Any) -> Any:
        # this comment changes nothing

        return x   +   1  # fmt: skip

    return body


def make_other() -> Any:
    def body(x: Any) -> Any:
        return x + 2

    return body


def version(func: Any, cache: Any = None) -> Any:
    return (cache or Cache("auto")).get_version(VersionParameters(func=func))


def test_comments_and_layout_do_not_change_the_version() -> None:
    assert version(make_one()) == version(make_same_with_comment())


def test_another_body_or_salt_changes_the_version() -> None:
    assert version(make_one()) != version(make_other())
    assert version(make_one()) != version(make_one(), Cache("auto", salt="x"))


def test_a_given_version_wins_and_a_disabled_cache_has_none() -> None:
    assert version(make_one(), Cache("override", version_override="v1")) == "v1"
    assert version(make_one(), Cache("disable", version_override="v1")) == ""


def test_own_policies_are_combined_with_the_body() -> None:
    class Schema:
        def get_version(self, salt: Any, params: Any) -> Any:
            return "schema-7"

    combined = Cache("auto", policies=[FunctionBodyPolicy(), Schema()])
    assert version(make_one(), combined) != version(make_one())
    assert version(make_one(), combined) == version(make_one(), combined)


def test_a_function_without_source_asks_for_a_version() -> None:
    namespace: dict[str, Any] = {}
    exec("def body(x): return x", namespace)
    with pytest.raises(InvalidSetting, match="version_override"):
        version(namespace["body"])


@pytest.mark.parametrize(
    ("text", "behavior"),
    [("ENABLED", "auto"), ("true", "auto"), ("off", "disable"), ("None", "disable"), ("override", "override")],
)
def test_behaviors_have_aliases_in_any_case(text: Any, behavior: Any) -> None:
    assert normalise_cache(text).behavior == behavior


def test_max_age_is_read_in_seconds_and_never_negative() -> None:
    assert Cache("auto", max_age=timedelta(minutes=1)).max_age_s == 60
    assert Cache("auto", max_age=5).max_age_s == 5
    with pytest.raises(ValueError, match="max_age must be nonnegative"):
        Cache("auto", max_age=-1)
    with pytest.raises(InvalidSettingType):
        Cache("auto", max_age="1h")  # type: ignore[arg-type]


def test_a_request_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="Expected cache to be of type str or Cache"):
        normalise_cache(5)


def test_a_cache_that_travelled_is_equal_to_the_one_that_was_sent() -> None:
    cache = Cache("auto", salt="s")
    assert pickle.loads(pickle.dumps(cache)) == cache == copy.deepcopy(cache)
    assert cache != Cache("auto", salt="t")


def test_a_policy_sees_the_image_whatever_names_it() -> None:
    base = Image.from_base("registry.example.com/base:1")
    seen = [
        VersionParameters(None, container_image=named).image for named in (base, "registry.example.com/base:1", None)
    ]
    assert seen == [base, base, None]
    assert VersionParameters(None, container_image="auto").image == Image.from_debian_base()
