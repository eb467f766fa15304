"""Secrets and environment variables: where they are delivered, and which names are refused."""

from pathlib import Path, PurePosixPath
from typing import Any, cast

import pytest

from flyte.spec.environment_variables import check_env_vars
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.secrets import Secret, normalise_secrets


def test_a_secret_becomes_a_variable_named_after_it() -> None:
    assert Secret("db-credentials").as_env_var == "DB_CREDENTIALS"
    assert Secret("my-secret", group="grp").as_env_var == "GRP_MY_SECRET"


def test_a_mounted_secret_has_a_file_and_no_variable() -> None:
    secret = Secret("key", group="grp", mount=Path("/etc/flyte/secrets"))
    assert secret.file_path == PurePosixPath("/etc/flyte/secrets/grp/key")
    assert secret.as_env_var is None
    assert Secret("key").file_path is None


RESERVED = [
    *("PATH", "HOME", "LD_PRELOAD", "LD_SOMETHING", "PYTHONPATH", "PYTHONBREAKPOINT", "PYTHONUSERBASE", "GCONV_PATH"),
    *("FLYTE_RUN_NAME", "FLYTE_SECRETS_DIR", "FLYTEPLANE_X", "FLYTE_WORKER_TOKEN", "_FLYTE_X"),
]


@pytest.mark.parametrize("name", RESERVED)
def test_a_secret_cannot_take_a_reserved_name(name: Any) -> None:
    with pytest.raises(InvalidSetting, match="reserved"):
        Secret("key", as_env_var=name)
    with pytest.raises(InvalidSetting, match="reserved"):
        Secret(name.lower())


def test_a_request_is_normalised_to_secrets_in_its_order() -> None:
    assert normalise_secrets(["a", Secret("b", mount=Path("/etc/flyte/secrets"))]) == (
        Secret("a"),
        Secret("b", mount=Path("/etc/flyte/secrets")),
    )
    assert normalise_secrets("a") == (Secret("a"),)
    assert normalise_secrets(None) == ()
    assert normalise_secrets([]) == ()


def test_two_secrets_for_one_place_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="both be delivered as A_B"):
        normalise_secrets(["a-b", Secret("b", group="a")])


def test_a_file_cannot_be_a_folder_as_well() -> None:
    folder = Path("/etc/flyte/secrets")
    with pytest.raises(InvalidSetting, match="'a' would be the file /etc/flyte/secrets/a, and the group"):
        normalise_secrets([Secret("b", group="a", mount=folder), Secret("a", mount=folder)])
    assert len(normalise_secrets([Secret("b", group="a", mount=folder), Secret("a")])) == 2


MALFORMED = [".", "..", "a/b", "../a", "a b", "é", "\U0001f511", "x" * 254, "x" * 10_000, "a\n", "a\0"]


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_key_or_group_is_refused(name: str) -> None:
    for part, secret in (("key", Secret(name, as_env_var="X")), ("group", Secret("x", group=name, as_env_var="X"))):
        with pytest.raises(InvalidSetting) as caught:
            normalise_secrets(secret)
        assert caught.value.field == f"secrets.{part}"


@pytest.mark.parametrize("request_", [("a",), 5, [1], {"a"}])
def test_a_request_of_another_type_is_refused(request_: Any) -> None:
    with pytest.raises(InvalidSettingType):
        normalise_secrets(request_)


def test_the_hash_of_a_request_is_stable_and_tells_requests_apart() -> None:
    assert Secret("a").stable_hash() == Secret("a").stable_hash()
    assert Secret("a").stable_hash() != Secret("a", as_env_var="B").stable_hash()


def test_plain_variables_may_change_search_paths_but_not_the_loader_or_the_platform() -> None:
    assert check_env_vars({"PYTHONPATH": "/x", "PATH": "/y"}) == {"PYTHONPATH": "/x", "PATH": "/y"}
    for name in ("LD_PRELOAD", "FLYTE_ATTEMPT_NUMBER", "FLYTEPLANE_TOKEN"):
        with pytest.raises(InvalidSetting, match="reserved"):
            check_env_vars({name: "x"})


@pytest.mark.parametrize("env_vars", [{"1A": "x"}, {"A=B": "x"}, {"": "x"}, {"A": "x\0y"}, {"A": "x" * 300_000}])
def test_malformed_or_oversized_variables_are_refused(env_vars: Any) -> None:
    with pytest.raises(InvalidSetting):
        check_env_vars(env_vars)


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidSettingType, match="Expected secret key to be of type str, got <class 'int'>"):
        Secret(cast(Any, 5), mount=Path("/etc/flyte/secrets"))


def test_a_variable_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidSettingType, match="Environment variable K must be a string"):
        check_env_vars({"K": 1})
