"""What is stored can be opened only as what it is, by whoever has the key; and keys can be replaced."""

from __future__ import annotations

import base64
import copy
import hashlib
import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.secrets.conftest import Platform
from tests.support.migrations import assert_revisions_make_the_schema

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.errors import DataLoss, FailedPrecondition, InvalidArgument
from flyteplane.rpc.key_files import KEY_BYTES
from flyteplane.secrets.domain.cipher import NotAuthentic, binding, decrypt, encrypt
from flyteplane.secrets.domain.names import SecretName
from flyteplane.secrets.domain.values import SecretValue
from flyteplane.secrets.keys.environment_keys import CURRENT, OLDER, environment_keys
from flyteplane.secrets.keys.file_keys import add_key
from flyteplane.secrets.settings import SecretsSettings

KEY = bytes(range(32))


def change(platform: Platform, statement: str) -> None:
    """Does what somebody who can write the database could do. The service must be stopped."""
    with closing(sqlite3.connect(platform.folder / "secrets.db")) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def rows(platform: Platform) -> dict[str, tuple[str, bytes, bytes]]:
    """Key id, wrapped key and content of each secret."""
    with closing(sqlite3.connect(platform.folder / "secrets.db")) as connection:
        found = connection.execute("SELECT key, key_id, wrapped_key, content FROM secrets").fetchall()
    return {key: (key_id, wrapped, content) for key, key_id, wrapped, content in found}


async def restart(platform: Platform, between: Callable[[], object]) -> None:
    await platform.stop()
    between()
    await platform.start()


@given(plaintext=st.binary(max_size=200), associated=st.binary(max_size=40))
def test_what_is_encrypted_is_decrypted(plaintext: bytes, associated: bytes) -> None:
    content = encrypt(plaintext, key=KEY, associated=associated, random_bytes=os.urandom)
    assert decrypt(content, key=KEY, associated=associated) == plaintext


@given(plaintext=st.binary(min_size=1, max_size=50), position=st.integers(min_value=0))
def test_any_change_of_a_ciphertext_is_noticed(plaintext: bytes, position: int) -> None:
    content = bytearray(encrypt(plaintext, key=KEY, associated=b"here", random_bytes=os.urandom))
    content[position % len(content)] ^= 1
    with pytest.raises(NotAuthentic):
        decrypt(bytes(content), key=KEY, associated=b"here")


names = st.builds(SecretName, *(st.sampled_from(("", "a", "b", "aa")) for _ in range(4)))


@given(one=names, other=names, versions=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_no_two_versions_are_bound_alike(one: SecretName, other: SecretName, versions: tuple[int, int]) -> None:
    same = binding(one, version=versions[0]) == binding(other, version=versions[1])
    assert same == ((one, versions[0]) == (other, versions[1]))


def test_a_value_cannot_be_shown_by_accident() -> None:
    value = SecretValue(b"hunter2")
    shown = [repr(value), str(value), f"{value}", f"{value!r:>30}", repr([value]), "%s" % value]  # noqa: UP031
    assert not any("hunter2" in text for text in shown)
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(value)
    with pytest.raises(TypeError):
        hash(value)
    assert not hasattr(value, "__dict__")
    assert value == SecretValue(b"hunter2")
    assert value != SecretValue(b"hunter3")


async def test_equal_values_are_stored_differently(platform: Platform) -> None:
    await platform.create("a", b"same")
    await platform.create("b", b"same")
    first, second = rows(platform).values()
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert first[2] != second[2]


@pytest.mark.parametrize("column", ["wrapped_key", "content"])
async def test_damage_in_the_store_is_told_and_not_given_out(platform: Platform, column: str) -> None:
    await platform.create("a", b"hunter2")
    await platform.create("b", b"fine")
    flip = f"UPDATE secrets SET {column} = CAST(substr({column}, 2) || x'00' AS BLOB) WHERE key = 'a'"
    await restart(platform, lambda: change(platform, flip))
    with pytest.raises(DataLoss) as caught:
        await platform.resolve("a")
    assert caught.value.reason == "SECRET_DAMAGED"
    assert "flyte update secret" in caught.value.mend
    assert await platform.resolve("b") == [(b"fine", 1)]
    assert [entry.outcome for entry in await platform.audited()] == ["failed", "given"]
    await platform.update("a", b"again")
    assert await platform.resolve("a") == [(b"again", 2)]


@pytest.mark.parametrize(
    "move",
    [
        "UPDATE secrets SET key = 'b'",
        "UPDATE secrets SET project = ''",
        "UPDATE secrets SET domain = ''",
        "UPDATE secrets SET group_name = 'g'",
        "UPDATE secrets SET version = 2",
    ],
)
async def test_a_value_that_was_moved_does_not_open(platform: Platform, move: str) -> None:
    """Whoever can write the database cannot give themselves another secret by renaming it."""
    await platform.create("a", b"hunter2")
    await restart(platform, lambda: change(platform, move))
    name = {"b": "b", "g": "g/a"}.get(move.split("'")[1] if "'" in move else "", "a")
    with pytest.raises(DataLoss):
        await platform.resolve(name)


async def test_a_new_key_takes_over_at_the_next_start(platform: Platform) -> None:
    values = {f"key{number}": b"%d" % number for number in range(250)}
    for name, value in values.items():
        await platform.create(name, value)
    before = rows(platform)
    await restart(platform, lambda: add_key(platform.keys, random_bytes=os.urandom))
    after = rows(platform)
    assert {row[0] for row in before.values()}.isdisjoint({row[0] for row in after.values()})
    assert {name: row[2] for name, row in before.items()} == {name: row[2] for name, row in after.items()}
    await restart(platform, (platform.keys / "secrets-0001.key").unlink)
    assert [(await platform.resolve(name))[0][0] for name in ("key0", "key249")] == [b"0", b"249"]


def test_adding_a_key_is_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flyteplane.secrets", "--keys", str(tmp_path)]
    for name in ("secrets-0001.key", "secrets-0002.key"):
        finished = subprocess.run(command, capture_output=True, text=True, check=True)
        assert name in finished.stdout
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    command[-1] = str(tmp_path / "nowhere")
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "cannot be made" in refused.stderr


async def test_a_key_that_is_given_up_keeps_nothing_from_going_on(platform: Platform) -> None:
    await platform.create("a", b"hunter2")
    (key,) = (await platform.stub.ListKeys(api.ListKeysRequest())).keys
    platform.settings = SecretsSettings(lost_keys=frozenset({key.id}))
    await restart(platform, (platform.keys / "secrets-0001.key").unlink)
    with pytest.raises(FailedPrecondition, match="is missing") as caught:
        await platform.resolve("a")
    assert caught.value.reason == "SECRET_KEY_MISSING"
    assert (await platform.service.rewrapping.run()).stuck == (SecretName("p", "d", "", "a"),)
    await platform.create("b", b"new")
    assert await platform.resolve("b") == [(b"new", 1)]
    await platform.update("a", b"again")
    assert await platform.resolve("a") == [(b"again", 2)]


async def test_a_key_that_others_may_read_keeps_the_service_from_opening(platform: Platform) -> None:
    await platform.stop()
    key_file = platform.keys / "secrets-0001.key"
    key_file.chmod(0o644)
    with pytest.raises(FailedPrecondition, match="mode 0644"):
        await platform.start()
    key_file.chmod(0o600)
    await platform.start()


async def test_keys_from_the_environment_leave_no_file(tmp_path: Path, platform: Platform) -> None:
    first, second = (base64.b64encode(os.urandom(KEY_BYTES)).decode() for _ in range(2))
    await platform.create("a", b"hunter2")
    old = base64.b64encode((platform.keys / "secrets-0001.key").read_bytes()).decode()
    platform.environment = {CURRENT: first, OLDER: old}
    await restart(platform, (platform.keys / "secrets-0001.key").unlink)
    platform.environment = {CURRENT: second, OLDER: first}
    await restart(platform, lambda: None)
    platform.environment = {CURRENT: second}
    await restart(platform, lambda: None)
    assert await platform.resolve("a") == [(b"hunter2", 1)]
    assert list(platform.keys.iterdir()) == []


@pytest.mark.parametrize(
    "environment",
    [
        {CURRENT: "c2hvcnQ="},
        {CURRENT: "not base64 at all !"},
        {CURRENT: base64.b64encode(KEY).decode(), OLDER: "c2hvcnQ="},
        {OLDER: base64.b64encode(KEY).decode()},
    ],
)
def test_a_key_in_the_environment_that_cannot_be_read_is_not_quoted(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        environment_keys(environment, random_bytes=os.urandom)
    assert not any(text in caught.value.public_text for text in environment.values())
    assert caught.value.mend


async def test_key_files_are_made_by_the_first_start_only(platform: Platform) -> None:
    (path,) = platform.keys.iterdir()
    digest = hashlib.sha256(path.read_bytes()).digest()
    await restart(platform, lambda: None)
    assert [hashlib.sha256(one.read_bytes()).digest() for one in platform.keys.iterdir()] == [digest]


async def test_revisions_make_the_schema() -> None:
    await assert_revisions_make_the_schema("flyteplane.secrets.store.migrations")
