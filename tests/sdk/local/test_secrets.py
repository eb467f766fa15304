"""Secrets of local runs: a private file, scopes, and what stands in for them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import flyte
import flyte.errors
from flyte.errors import RuntimeUserError
from flyte.local.secrets import LocalSecrets, SecretName, default_secrets_path
from flyte.spec.secrets import Secret

env = flyte.TaskEnvironment("local_secrets")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the secrets are."""
    return tmp_path / "inner" / "secrets.json"


def test_the_file_can_be_read_by_its_owner_alone(path: Path) -> None:
    LocalSecrets(path).put(SecretName("KEY"), b"value")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    secrets = LocalSecrets(path)
    secrets.put(SecretName("KEY"), b"value")
    path.chmod(0o640)
    with pytest.raises(RuntimeUserError, match="chmod 600"):
        secrets.names()


def test_the_narrowest_scope_wins(path: Path) -> None:
    secrets = LocalSecrets(path)
    scopes = [("", ""), ("", "production"), ("shop", ""), ("shop", "production")]
    for number, scope in enumerate(scopes):
        secrets.put(SecretName("KEY", "", *scope), str(number).encode())
        (value,) = secrets.resolve([Secret("KEY")], project="shop", domain="production").values()
        assert value == str(number).encode()
    (elsewhere,) = secrets.resolve([Secret("KEY")], project="other", domain="staging").values()
    assert elsewhere == b"0"


def test_values_are_bytes_and_are_replaced_and_deleted(path: Path) -> None:
    secrets = LocalSecrets(path)
    name = SecretName("KEY", "group")
    secrets.put(name, b"\x00\xff")
    secrets.put(name, b"\xff\x00\n")
    assert secrets.resolve([Secret("KEY", "group")], project="p", domain="d") == {Secret("KEY", "group"): b"\xff\x00\n"}
    assert secrets.delete(name)
    assert not secrets.delete(name)
    assert secrets.names() == []


def test_a_variable_of_the_process_stands_in_and_a_missing_secret_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = LocalSecrets(path)
    monkeypatch.setenv("GRP_API_KEY", "exported")
    assert list(secrets.resolve([Secret("api-key", "grp")], project="p", domain="d").values()) == [b"exported"]
    with pytest.raises(RuntimeUserError, match=r"flyte create secret --local other-key --group grp") as caught:
        secrets.resolve([Secret("other-key", "grp")], project="p", domain="d")
    assert caught.value.code == "SECRET_NOT_FOUND"


@env.task(secrets=["PLAIN", Secret("FILED", mount=Path("/etc/flyte/secrets"))])
def reads() -> tuple[str, str, int]:
    file = Path(os.environ["FLYTE_SECRETS_DIR"]) / "FILED"
    return os.environ["PLAIN"], file.read_text(), stat.S_IMODE(file.stat().st_mode)


def test_a_task_has_its_secrets_while_it_runs_and_nothing_stays(own_home: Path) -> None:
    secrets = LocalSecrets(own_home / ".flyte" / "local-secrets.json")
    secrets.put(SecretName("PLAIN"), b"one")
    secrets.put(SecretName("FILED"), b"two")
    before = set(Path("/dev/shm").glob("flyte-secrets-*"))
    assert tuple(flyte.run(reads).outputs()) == ("one", "two", 0o600)
    assert "PLAIN" not in os.environ
    assert "FLYTE_SECRETS_DIR" not in os.environ
    assert set(Path("/dev/shm").glob("flyte-secrets-*")) == before


def test_a_value_that_no_variable_can_hold_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    LocalSecrets(default_secrets_path()).put(SecretName("ZERO"), b"a\0b")

    @env.task(secrets="ZERO")
    def needs_zero() -> int:
        return 1

    with pytest.raises(Exception, match=r"zero byte.*mount="):
        flyte.with_runcontext(mode="local").run(needs_zero).outputs()
