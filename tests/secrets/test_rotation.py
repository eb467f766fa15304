"""Key-encryption keys are replaced while everything can be read, and one that is lost is told before harm is done."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest
from tests.secrets.conftest import Platform

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument
from flyteplane.rpc.client import translated_errors
from flyteplane.secrets.keys.environment_keys import CURRENT
from flyteplane.secrets.keys.file_keys import add_key
from flyteplane.secrets.settings import Provider, SecretsSettings

KEY_ONE = "secrets-0001.key"


async def keys_of(platform: Platform) -> Sequence[api.KeyInfo]:
    with translated_errors():
        return (await platform.stub.ListKeys(api.ListKeysRequest())).keys


async def rotate(platform: Platform, *, new_key: bool = True) -> api.RotateKeysResponse:
    with translated_errors():
        return await platform.stub.RotateKeys(api.RotateKeysRequest(new_key=new_key))


async def test_a_new_key_takes_over_while_the_platform_runs(platform: Platform) -> None:
    for number in range(450):
        await platform.create(f"key{number}", b"%d" % number)
    (before,) = await keys_of(platform)
    done = await rotate(platform)
    assert (done.moved, list(done.stuck)) == (450, [])
    (after,) = await keys_of(platform)
    assert (after.id, after.current, after.available, after.secrets) == (done.key_id, True, True, 450)
    assert after.id != before.id
    assert [(await platform.resolve(name))[0][0] for name in ("key0", "key449")] == [b"0", b"449"]
    # The old key protects nothing any more.
    (platform.keys / KEY_ONE).unlink()
    await platform.stop()
    await platform.start()
    assert await platform.resolve("key200") == [(b"200", 1)]


async def test_secrets_are_read_and_written_all_the_time(platform: Platform) -> None:
    for number in range(300):
        await platform.create(f"key{number}", b"0")
    rotations = asyncio.gather(*(rotate(platform) for _ in range(3)))
    rounds = 0
    while not rotations.done():
        rounds += 1
        await platform.update("key7", b"%d" % rounds)
        assert await platform.resolve("key7", "key299") == [(b"%d" % rounds, rounds + 1), (b"0", 1)]
    await rotations
    assert rounds > 1
    await rotate(platform, new_key=False)
    assert [(key.current, key.secrets) for key in await keys_of(platform)] == [(True, 300)]
    assert sorted(path.name for path in platform.keys.iterdir()) == [
        f"secrets-000{number}.key" for number in (1, 2, 3, 4)
    ]


async def test_a_key_that_was_added_by_hand_is_found(platform: Platform) -> None:
    await platform.create("a")
    add_key(platform.keys, random_bytes=os.urandom)
    assert (await rotate(platform, new_key=False)).moved == 1
    assert (await rotate(platform, new_key=False)).moved == 0


async def test_a_secret_that_cannot_be_moved_is_named(platform: Platform) -> None:
    for name in ("a", "b"):
        await platform.create(name)
    await platform.stop()
    with closing(sqlite3.connect(platform.folder / "secrets.db")) as connection, connection:
        connection.execute("UPDATE secrets SET wrapped_key = X'00' WHERE key = 'a'")
    await platform.start()
    done = await rotate(platform)
    assert (done.moved, list(done.stuck)) == (1, ["'a' in project p and domain d"])
    assert [(key.current, key.secrets) for key in await keys_of(platform) if not key.current] == [(False, 1)]


async def test_keys_in_the_environment_are_replaced_by_the_operator(platform: Platform) -> None:
    platform.environment = {CURRENT: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
    await platform.stop()
    await platform.start()
    with pytest.raises(FailedPrecondition) as caught:
        await rotate(platform)
    assert "FLYTEPLANE_SECRETS_OLD_KEYS" in caught.value.mend


# --- lost, wrong and replaced ---------------------------------------------------------------------------------------


async def refused_start(platform: Platform) -> FailedPrecondition:
    with pytest.raises(FailedPrecondition) as caught:
        await platform.start()
    # The way out is told, and there is something to come back to.
    assert caught.value.mend
    return caught.value


async def test_a_missing_key_file_stops_the_start_and_nothing_is_made_in_its_place(platform: Platform) -> None:
    await platform.create("a", b"hunter2")
    (key,) = await keys_of(platform)
    await platform.stop()
    kept = (platform.keys / KEY_ONE).rename(platform.folder / "kept")
    error = await refused_start(platform)
    assert (error.reason, key.id in error.message, "1 stored secret needs" in error.message) == (
        "SECRET_KEY_MISSING",
        True,
        True,
    )
    assert str(platform.keys) in error.message
    assert list(platform.keys.iterdir()) == []
    kept.rename(platform.keys / KEY_ONE)
    await platform.start()
    assert await platform.resolve("a") == [(b"hunter2", 1)]


@pytest.mark.parametrize(
    "content", [b"\x01" * 32, b"", b"short", b"\x01" * 33], ids=["another key", "nothing", "short", "long"]
)
async def test_a_key_file_with_other_content_stops_the_start(platform: Platform, content: bytes) -> None:
    await platform.create("a", b"hunter2")
    await platform.stop()
    right = (platform.keys / KEY_ONE).read_bytes()
    (platform.keys / KEY_ONE).write_bytes(content)
    error = await refused_start(platform)
    assert error.reason in ("SECRET_KEY_MISSING", "KEY_FILE")
    assert (platform.keys / KEY_ONE).read_bytes() == content
    (platform.keys / KEY_ONE).write_bytes(right)
    await platform.start()
    assert await platform.resolve("a") == [(b"hunter2", 1)]


async def test_a_key_file_that_is_restored_under_way_is_found(platform: Platform) -> None:
    await platform.create("a", b"hunter2")
    (key,) = await keys_of(platform)
    await platform.stop()
    kept = (platform.keys / KEY_ONE).rename(platform.folder / "kept")
    platform.settings = SecretsSettings(lost_keys=frozenset({key.id}))
    await platform.start()
    with pytest.raises(FailedPrecondition, match=key.id):
        await platform.resolve("a")
    found = {one.id: (one.current, one.available, one.secrets) for one in await keys_of(platform)}
    assert found[key.id] == (False, False, 1)
    # Not over the file that was made meanwhile.
    kept.rename(platform.keys / "secrets-0000.key")
    assert await platform.resolve("a") == [(b"hunter2", 1)]
    assert (await rotate(platform, new_key=False)).moved == 1


async def test_a_file_that_goes_under_way_harms_nobody(platform: Platform) -> None:
    await platform.create("a", b"hunter2")
    kept = (platform.keys / KEY_ONE).rename(platform.folder / "kept")
    assert (await rotate(platform, new_key=False)).moved == 0
    await platform.create("b", b"again")
    assert await platform.resolve("a", "b") == [(b"hunter2", 1), (b"again", 1)]
    kept.rename(platform.keys / KEY_ONE)


async def test_a_folder_of_the_operators_is_used(platform: Platform) -> None:
    await platform.create("a", b"hunter2")
    await platform.stop()
    own = platform.folder / "own"
    own.mkdir(mode=0o700)
    (platform.keys / KEY_ONE).rename(own / KEY_ONE)
    platform.settings = SecretsSettings(folder=own)
    await platform.start()
    assert await platform.resolve("a") == [(b"hunter2", 1)]
    assert list(platform.keys.iterdir()) == []


async def test_a_provider_without_its_keys_is_refused(platform: Platform) -> None:
    await platform.stop()
    platform.settings = SecretsSettings(provider=Provider.ENVIRONMENT)
    with pytest.raises(InvalidArgument, match=CURRENT):
        await platform.start()
