"""Secrets in every form that a task may ask for them, at every level, from every scope, on the whole platform."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.platform import PlatformUnderTest
from tests.system.conftest import connect
from tests.system.programs import secret_delivery as program

import flyte
import flyte.errors
from flyte.client.init import set_settings

LONE, GROUPED = (f"{word}-{secrets.token_hex(12)}" for word in ("lone", "grouped"))
SCOPES = "project flytesnacks and domain development; project flytesnacks; domain development; the organisation"
D, P = program.digest(LONE), program.digest(GROUPED)


@pytest.fixture(scope="module")
def delivering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform with two secrets, of which one lies in two scopes."""
    platform = PlatformUnderTest(tmp_path_factory.mktemp("delivery") / "platform")
    try:
        platform.start()
        connect(platform)
        put(platform, "DELIVERED", value="of the organisation, and hidden by a nearer one")
        put(platform, "DELIVERED", "-p", "flytesnacks", value=LONE)
        put(platform, "password", "--group", "delivered", "-d", "development", value=GROUPED)
        yield platform
        platform.stop()
    finally:
        set_settings(None)
        platform.destroy()


@pytest.fixture(autouse=True)
def client(delivering: PlatformUnderTest) -> None:
    """This process is a client of that platform."""
    connect(delivering)


def put(platform: PlatformUnderTest, *arguments: str, value: str, verb: str = "create") -> None:
    done = platform.ask(verb, "secret", *arguments, stdin=value)
    assert done.returncode == 0, done.stderr


def outcome(task: Any) -> Any:
    return flyte.run(task).outputs()[0]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (program.text_of_environment, {"DELIVERED": D}),
        (program.object_of_environment, {"OTHER_NAME": P}),
        (program.list_of_environment, {"DELIVERED": D, "delivered/password": P}),
        (program.object_of_decorator, {"DELIVERED_PASSWORD": P}),
        (program.nothing_of_decorator, {}),
        (program.file_and_variable, {"BOTH": P, "delivered/password": P}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_task_finds_what_it_asked_for_where_it_asked_for_it(task: Any, expected: dict[str, str]) -> None:
    assert outcome(task) == expected


def test_an_override_replaces_what_was_asked_for() -> None:
    found = outcome(program.overrides)
    # `reusable="off"` and other secrets: a fresh worker.
    assert found[-1].pop("pid")
    assert found == [
        {"DELIVERED": D},
        {"OTHER_NAME": P},
        {"DELIVERED": D, "OTHER_NAME": P},
        {},
        {"OTHER_NAME": P},
    ]


def test_an_update_is_seen_by_the_next_run_on_fresh_workers_and_on_replicas(delivering: PlatformUnderTest) -> None:
    first = outcome(program.on_a_replica)
    assert outcome(program.on_a_replica) == first == {"DELIVERED": D, "pid": first["pid"]}
    put(delivering, "DELIVERED", "-p", "flytesnacks", value="changed-value", verb="update")
    try:
        changed = outcome(program.on_a_replica)
        assert changed["DELIVERED"] == program.digest("changed-value")
        assert changed["pid"] != first["pid"]
        assert outcome(program.text_of_environment) == {"DELIVERED": program.digest("changed-value")}
    finally:
        put(delivering, "DELIVERED", "-p", "flytesnacks", value=LONE, verb="update")


def test_a_deleted_secret_is_missing_at_once_with_the_scopes_and_no_retry(delivering: PlatformUnderTest) -> None:
    for scope in ((), ("-p", "flytesnacks")):
        assert delivering.ask("delete", "secret", "DELIVERED", *scope).returncode == 0
    try:
        for task in (program.text_of_environment, program.on_a_replica):
            run = flyte.run(task)
            run.wait()
            error = str(run.error())
            assert SCOPES in error
            assert "flyte create secret DELIVERED" in error
            (attempt,) = json.loads(delivering.ask("get", "action", run.name, "a0", "--json").stdout)["attempts"]
            assert "DELIVERED" in json.dumps(attempt)
    finally:
        put(delivering, "DELIVERED", "-p", "flytesnacks", value=LONE)


def test_a_value_with_a_zero_byte_is_refused_as_a_variable_with_what_to_do(delivering: PlatformUnderTest) -> None:
    put(delivering, "ZERO", value="abc\0def-secret")
    with pytest.raises(flyte.errors.BaseRuntimeError, match="zero byte") as failed:
        outcome(program.with_a_zero_byte)
    assert "mount=" in str(failed.value)
    assert "def-secret" not in str(failed.value)


def test_a_mebibyte_is_delivered_as_a_file(delivering: PlatformUnderTest) -> None:
    value = secrets.token_hex(512 * 1024)
    put(delivering, "LARGE", value=value)
    assert outcome(program.large) == {"LARGE": program.digest(value)}


def test_keys_are_replaced_while_tasks_ask_for_secrets(delivering: PlatformUnderTest) -> None:
    runs = [flyte.run(program.text_of_environment) for _ in range(4)]
    for _ in range(3):
        done = delivering.ask("update", "secret-keys", "--new")
        assert done.returncode == 0, done.stderr
        runs += [flyte.run(program.list_of_environment)]
    assert {run.outputs()[0]["DELIVERED"] for run in runs} == {D}
    shown = delivering.ask("get", "secret-keys").stdout.split()
    assert shown.count("current") == 1
    assert "missing" not in shown
    for path in sorted((delivering.data / "keys").glob("secrets-*.key"))[:-1]:
        assert path.stat().st_mode & 0o777 == 0o600
        os.unlink(path)
    delivering.kill()
    delivering.start()
    connect(delivering)
    assert outcome(program.list_of_environment)["DELIVERED"] == D


def test_a_platform_without_its_key_says_so_in_a_line_and_makes_none(delivering: PlatformUnderTest) -> None:
    (path,) = (delivering.data / "keys").glob("secrets-*.key")
    delivering.stop()
    kept = path.rename(delivering.data / "kept")
    refused = delivering.flyte("up", "--foreground", "--data", str(delivering.data))
    assert refused.returncode == 1
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("│")]
    assert "key-encryption key" in line
    assert "Restore it" in line
    assert list((delivering.data / "keys").glob("secrets-*.key")) == []
    kept.rename(path)
    delivering.start()
    connect(delivering)
    assert outcome(program.text_of_environment) == {"DELIVERED": D}


def test_keys_in_the_environment_of_the_platform_are_in_that_of_no_task(tmp_path: Path) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    platform = PlatformUnderTest(tmp_path / "platform", env={"FLYTEPLANE_SECRETS_KEY": key})
    try:
        platform.start()
        connect(platform)
        put(platform, "DELIVERED", value=LONE)
        assert outcome(program.text_of_environment) == {"DELIVERED": D}
        for task in (program.environment_of_a_worker, program.environment_of_a_replica):
            assert outcome(task) is False
        assert list((platform.data / "keys").glob("secrets-*.key")) == []
        refused = platform.ask("update", "secret-keys", "--new")
        assert refused.returncode == 1
        assert "FLYTEPLANE_SECRETS_OLD_KEYS" in refused.stderr
        platform.stop()
    finally:
        set_settings(None)
        platform.destroy()
