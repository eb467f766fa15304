"""The contract of key providers, over all adapters."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flyteplane.foundation.errors import DataLoss, FailedPrecondition
from flyteplane.secrets.application.ports import KeyProvider
from flyteplane.secrets.keys.environment_keys import CURRENT, OLDER, environment_keys
from flyteplane.secrets.keys.file_keys import FileKeys, add_key
from flyteplane.secrets.keys.key_ring import KeyRing

DATA_KEY = bytes(range(32))


class Keys:
    """Where a provider gets its keys from, as an operator sees it."""

    def __init__(self, *, open: Callable[[], KeyProvider], replace: Callable[[], None]) -> None:
        self.open = open
        """Starts a provider, as a start of the platform does."""
        self.replace = replace
        """Adds a new key and keeps the old ones."""


def in_memory() -> Keys:
    keys = [secrets.token_bytes(32)]
    return Keys(
        open=lambda: KeyRing(keys, random_bytes=secrets.token_bytes),
        replace=lambda: keys.append(secrets.token_bytes(32)),
    )


def in_files(folder: Path) -> Keys:
    def replace() -> None:
        add_key(folder, random_bytes=secrets.token_bytes)

    return Keys(open=lambda: FileKeys(folder, random_bytes=secrets.token_bytes), replace=replace)


def in_environment() -> Keys:
    environment = {CURRENT: fresh_key()}

    def open_keys() -> KeyProvider:
        keys = environment_keys(environment, random_bytes=secrets.token_bytes)
        assert keys is not None
        return keys

    def replace() -> None:
        older = filter(None, (environment.get(OLDER), environment[CURRENT]))
        environment.update({OLDER: " , ".join(older), CURRENT: fresh_key()})

    return Keys(open=open_keys, replace=replace)


def fresh_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(params=["memory", "files", "environment"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Keys:
    made = {"memory": in_memory, "files": lambda: in_files(tmp_path), "environment": in_environment}
    return made[request.param]()


async def test_a_wrapped_key_unwraps_after_a_restart(keys: Keys) -> None:
    wrapped = await keys.open().wrap(DATA_KEY, binding=b"here")
    assert DATA_KEY not in wrapped.content
    assert await keys.open().unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_a_wrapped_key_names_the_current_key(keys: Keys) -> None:
    provider = keys.open()
    assert (await provider.wrap(DATA_KEY, binding=b"")).key_id == await provider.current_key_id()


async def test_the_same_key_is_never_wrapped_alike_twice(keys: Keys) -> None:
    provider = keys.open()
    assert await provider.wrap(DATA_KEY, binding=b"") != await provider.wrap(DATA_KEY, binding=b"")


async def test_a_wrapped_key_does_not_unwrap_elsewhere(keys: Keys) -> None:
    provider = keys.open()
    wrapped = await provider.wrap(DATA_KEY, binding=b"here")
    with pytest.raises(DataLoss):
        await provider.unwrap(wrapped, binding=b"there")


@pytest.mark.parametrize("position", [0, 20, -1])
async def test_a_damaged_wrapped_key_is_noticed(keys: Keys, position: int) -> None:
    provider = keys.open()
    wrapped = await provider.wrap(DATA_KEY, binding=b"here")
    damaged = bytearray(wrapped.content)
    damaged[position] ^= 1
    for content in (bytes(damaged), wrapped.content[:10], b""):
        with pytest.raises(DataLoss):
            await provider.unwrap(replace(wrapped, content=content), binding=b"here")


async def test_a_new_key_takes_over_and_the_old_one_still_unwraps(keys: Keys) -> None:
    before = keys.open()
    wrapped = await before.wrap(DATA_KEY, binding=b"here")
    keys.replace()
    after = keys.open()
    assert await after.current_key_id() != await before.current_key_id()
    assert (await after.wrap(DATA_KEY, binding=b"")).key_id == await after.current_key_id()
    assert await after.unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_a_missing_key_is_named(keys: Keys) -> None:
    wrapped = await keys.open().wrap(DATA_KEY, binding=b"here")
    stranger = replace(wrapped, key_id="0123456789abcdef")
    with pytest.raises(FailedPrecondition, match="0123456789abcdef") as caught:
        await keys.open().unwrap(stranger, binding=b"here")
    assert caught.value.reason == "SECRET_KEY_MISSING"
    assert caught.value.mend


async def test_a_wrapped_key_shows_only_which_key_wraps_it(keys: Keys) -> None:
    wrapped = await keys.open().wrap(DATA_KEY, binding=b"here")
    assert repr(wrapped) == f"WrappedKey(key_id={wrapped.key_id!r})"
