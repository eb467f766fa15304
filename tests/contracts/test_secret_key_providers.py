"""The contract of key providers, over all adapters.

Vault is a strict fake over HTTP (`tests.support.fake_vault`), and a real server as well where one is named.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.fake_vault import MOUNT, FakeVault

from flyteplane.foundation.errors import DataLoss, FailedPrecondition
from flyteplane.secrets.application.ports import KeyProvider
from flyteplane.secrets.keys.environment_keys import CURRENT, OLDER, environment_keys
from flyteplane.secrets.keys.file_keys import FileKeys, add_key
from flyteplane.secrets.keys.key_chain import KeyChain
from flyteplane.secrets.keys.key_ring import KeyRing
from flyteplane.secrets.keys.vault_keys import VaultKeys
from flyteplane.secrets.settings import VaultSettings

DATA_KEY = bytes(range(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Where a provider gets its keys from, as an operator sees it."""

    make: Callable[[], KeyProvider]
    replace: Callable[[], None]
    """Adds a new key outside of the provider, and keeps the old ones."""
    makes_keys: bool = True
    """The provider can make keys itself."""
    sees_new_keys: bool = True
    """The provider sees a key that was added while it is open."""

    async def open(self) -> KeyProvider:
        """Starts a provider, as a start of the platform does."""
        provider = self.make()
        await provider.prepare()
        return provider


def in_memory() -> Keys:
    keys = [secrets.token_bytes(32)]
    return Keys(
        make=lambda: KeyRing(keys, random_bytes=secrets.token_bytes),
        replace=lambda: keys.append(secrets.token_bytes(32)),
        sees_new_keys=False,
    )


def in_files(folder: Path) -> Keys:
    def replace() -> None:
        add_key(folder, random_bytes=secrets.token_bytes)

    return Keys(make=lambda: FileKeys(folder, random_bytes=secrets.token_bytes), replace=replace)


def in_environment() -> Keys:
    environment = {CURRENT: fresh_key()}

    def open_keys() -> KeyProvider:
        keys = environment_keys(environment, random_bytes=secrets.token_bytes)
        assert keys is not None
        return keys

    def replace() -> None:
        older = filter(None, (environment.get(OLDER), environment[CURRENT]))
        environment.update({OLDER: " , ".join(older), CURRENT: fresh_key()})

    return Keys(make=open_keys, replace=replace, makes_keys=False, sees_new_keys=False)


def in_chain(folder: Path) -> Keys:
    """Files in front of a ring that has keys of its own."""
    files, older = in_files(folder), KeyRing([secrets.token_bytes(32)], random_bytes=secrets.token_bytes)
    return replace(files, make=lambda: KeyChain(files.make(), [older]))


def fresh_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def fake_vault(tmp_path: Path) -> Iterator[FakeVault]:
    with FakeVault(tmp_path) as vault:
        vault.make_key("flyteplane")
        yield vault


def in_fake_vault(vault: FakeVault) -> Keys:
    settings = vault.settings("flyteplane")
    return Keys(make=lambda: VaultKeys(settings), replace=vault.keys["flyteplane"].rotate)


def in_real_vault(folder: Path) -> Keys:
    address, token = (os.environ.get(f"FLYTEPLANE_TEST_VAULT_{word}", "") for word in ("ADDRESS", "TOKEN"))
    if not address:
        pytest.skip("FLYTEPLANE_TEST_VAULT_ADDRESS names no Vault")
    import hvac

    name = f"test-{uuid4().hex[:12]}"
    client = hvac.Client(url=address, token=token)
    client.secrets.transit.create_key(name, mount_point=MOUNT)
    file = folder / "token"
    file.write_text(token)
    settings = VaultSettings(address=address, key=name, token_file=file)
    return Keys(
        make=lambda: VaultKeys(settings),
        replace=lambda: client.secrets.transit.rotate_key(name, mount_point=MOUNT),
    )


@pytest.fixture(params=["memory", "files", "environment", "chain", "fake vault", "real vault"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Keys:
    made: dict[str, Callable[[], Keys]] = {
        "memory": in_memory,
        "files": lambda: in_files(tmp_path),
        "environment": in_environment,
        "chain": lambda: in_chain(tmp_path),
        "fake vault": lambda: in_fake_vault(request.getfixturevalue("fake_vault")),
        "real vault": lambda: in_real_vault(tmp_path),
    }
    return made[request.param]()


async def test_a_wrapped_key_unwraps_after_a_restart(keys: Keys) -> None:
    wrapped = await (await keys.open()).wrap(DATA_KEY, binding=b"here")
    assert DATA_KEY not in wrapped.content
    assert await (await keys.open()).unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_a_wrapped_key_names_the_current_key(keys: Keys) -> None:
    provider = await keys.open()
    key_id = (await provider.wrap(DATA_KEY, binding=b"")).key_id
    assert key_id == await provider.current_key_id()
    assert 1 <= len(key_id) <= 64
    assert await provider.holds(key_id)
    assert not await provider.holds("0123456789abcdef")


async def test_the_same_key_is_never_wrapped_alike_twice(keys: Keys) -> None:
    provider = await keys.open()
    assert await provider.wrap(DATA_KEY, binding=b"") != await provider.wrap(DATA_KEY, binding=b"")


async def test_a_wrapped_key_does_not_unwrap_elsewhere(keys: Keys) -> None:
    provider = await keys.open()
    wrapped = await provider.wrap(DATA_KEY, binding=b"here")
    with pytest.raises(DataLoss):
        await provider.unwrap(wrapped, binding=b"there")


@pytest.mark.parametrize("position", [0, 20, -1])
async def test_a_damaged_wrapped_key_is_noticed(keys: Keys, position: int) -> None:
    provider = await keys.open()
    wrapped = await provider.wrap(DATA_KEY, binding=b"here")
    damaged = bytearray(wrapped.content)
    damaged[position] ^= 1
    for content in (bytes(damaged), wrapped.content[:10], b""):
        with pytest.raises(DataLoss):
            await provider.unwrap(replace(wrapped, content=content), binding=b"here")


async def test_a_new_key_takes_over_and_the_old_one_still_unwraps(keys: Keys) -> None:
    before = await keys.open()
    wrapped = await before.wrap(DATA_KEY, binding=b"here")
    keys.replace()
    after = await keys.open()
    assert await after.current_key_id() != wrapped.key_id
    assert (await after.wrap(DATA_KEY, binding=b"")).key_id == await after.current_key_id()
    assert await after.holds(wrapped.key_id)
    assert await after.unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_a_key_that_was_added_takes_over_without_a_restart_where_it_can(keys: Keys) -> None:
    provider = await keys.open()
    wrapped = await provider.wrap(DATA_KEY, binding=b"here")
    keys.replace()
    await provider.refresh()
    assert (await provider.current_key_id() != wrapped.key_id) == keys.sees_new_keys
    assert await provider.unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_what_another_process_has_wrapped_under_a_newer_key_unwraps(keys: Keys) -> None:
    if not keys.sees_new_keys:
        pytest.skip("keys are given at the start only")
    here = await keys.open()
    await here.wrap(DATA_KEY, binding=b"here")
    keys.replace()
    wrapped = await (await keys.open()).wrap(DATA_KEY, binding=b"here")
    assert await here.unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_a_provider_makes_a_new_key_or_says_whose_work_it_is(keys: Keys) -> None:
    provider = await keys.open()
    wrapped = await provider.wrap(DATA_KEY, binding=b"here")
    if not keys.makes_keys:
        with pytest.raises(FailedPrecondition) as caught:
            await provider.new_key()
        assert (caught.value.reason, bool(caught.value.mend)) == ("KEYS_OF_OPERATOR", True)
        return
    key_id = await provider.new_key()
    assert key_id == await provider.current_key_id() != wrapped.key_id
    assert await provider.unwrap(wrapped, binding=b"here") == DATA_KEY


async def test_a_missing_key_is_named(keys: Keys) -> None:
    provider = await keys.open()
    stranger = replace(await provider.wrap(DATA_KEY, binding=b"here"), key_id="0123456789abcdef")
    with pytest.raises(FailedPrecondition, match="0123456789abcdef") as caught:
        await provider.unwrap(stranger, binding=b"here")
    assert caught.value.reason == "SECRET_KEY_MISSING"
    assert caught.value.mend


async def test_a_wrapped_key_shows_only_which_key_wraps_it(keys: Keys) -> None:
    wrapped = await (await keys.open()).wrap(DATA_KEY, binding=b"here")
    assert repr(wrapped) == f"WrappedKey(key_id={wrapped.key_id!r})"
