"""Keys in Vault: what a platform does whose Vault is away, sealed, slow, locked to it, or not what was meant.

Vault is the strict fake of `tests.support.fake_vault`.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.secrets.conftest import Platform
from tests.support.fake_vault import FakeVault
from tests.support.log_lines import LogLines

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, PlatformError, Unavailable
from flyteplane.rpc.client import translated_errors
from flyteplane.secrets.keys.vault_keys import VaultKeys
from flyteplane.secrets.settings import AppRole, Provider, SecretsSettings, VaultSettings

DATA_KEY = bytes(range(32))


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[FakeVault]:
    with FakeVault(tmp_path) as vault:
        vault.make_key("flyteplane")
        yield vault


@pytest.fixture
async def on_vault(tmp_path: Path, vault: FakeVault) -> AsyncIterator[Platform]:
    """A platform whose keys are in Vault."""
    platform = Platform(tmp_path, ManualClock())
    platform.settings = with_vault(vault.settings("flyteplane", timeout_s=0.5))
    await platform.start()
    yield platform
    await platform.stop()


def with_vault(settings: VaultSettings) -> SecretsSettings:
    return SecretsSettings(provider=Provider.VAULT, vault=settings)


async def key_ids(platform: Platform) -> list[str]:
    with translated_errors():
        return [key.id for key in (await platform.stub.ListKeys(api.ListKeysRequest())).keys]


async def test_values_are_stored_and_given_and_no_key_file_is_made(on_vault: Platform, vault: FakeVault) -> None:
    await on_vault.create("a", b"hunter2")
    assert await on_vault.resolve("a") == [(b"hunter2", 1)]
    assert await key_ids(on_vault) == ["vault:transit/flyteplane:v1"]
    assert list(on_vault.keys.iterdir()) == []
    # A version of a value is one question when it is stored and one each time that it is given.
    assert [line.split()[1].split("/")[1] for line in vault.asked] == ["keys", "encrypt", "decrypt"]


async def test_rotation_makes_a_version_in_vault_and_moves_everything(on_vault: Platform, vault: FakeVault) -> None:
    for name in ("a", "b"):
        await on_vault.create(name, name.encode())
    with translated_errors():
        done = await on_vault.stub.RotateKeys(api.RotateKeysRequest(new_key=True))
    assert (done.key_id, done.moved) == ("vault:transit/flyteplane:v2", 2)
    vault.keys["flyteplane"].min_decryption_version = 2
    assert await on_vault.resolve("a", "b") == [(b"a", 1), (b"b", 1)]


async def test_secrets_move_from_files_to_vault_and_back(tmp_path: Path, vault: FakeVault) -> None:
    platform = Platform(tmp_path, ManualClock())
    await platform.start()
    await platform.create("a", b"hunter2")
    await platform.stop()
    platform.settings = with_vault(vault.settings("flyteplane"))
    await platform.start()
    assert await key_ids(platform) == ["vault:transit/flyteplane:v1"]
    for path in platform.keys.iterdir():
        path.unlink()
    await platform.stop()
    await platform.start()
    assert await platform.resolve("a") == [(b"hunter2", 1)]
    await platform.stop()
    # Vault is not named any more, so nothing can be read; and nothing is made in its place.
    platform.settings = SecretsSettings()
    with pytest.raises(FailedPrecondition, match="vault:transit/flyteplane:v1"):
        await platform.start()
    assert list(platform.keys.iterdir()) == []


async def test_a_platform_starts_while_vault_is_away_and_serves_when_it_is_back(
    on_vault: Platform, vault: FakeVault
) -> None:
    await on_vault.create("a", b"hunter2")
    await on_vault.stop()
    vault.stop()
    await on_vault.start()
    for call in (on_vault.resolve("a"), on_vault.create("b", b"x")):
        with pytest.raises(Unavailable, match="does not answer") as caught:
            await call
        assert caught.value.mend
    assert [entry.outcome for entry in await on_vault.audited()] == ["failed"]
    vault.start()
    assert await on_vault.resolve("a") == [(b"hunter2", 1)]
    assert (await on_vault.get("a")).version == 1


async def test_a_sealed_vault_is_told(on_vault: Platform, vault: FakeVault) -> None:
    await on_vault.create("a", b"hunter2")
    vault.sealed = True
    with pytest.raises(Unavailable, match="is sealed"):
        await on_vault.resolve("a")
    vault.sealed = False
    assert await on_vault.resolve("a") == [(b"hunter2", 1)]


async def test_a_vault_that_is_stuck_holds_up_nothing_else(on_vault: Platform, vault: FakeVault) -> None:
    await on_vault.create("a", b"hunter2")
    released = threading.Event()

    def be_stuck() -> None:
        released.wait(20)

    vault.before_answer = be_stuck
    with pytest.raises(Unavailable):
        await on_vault.resolve("a")
    # Whoever needs no key is answered meanwhile.
    assert (await on_vault.get("a")).version == 1
    vault.before_answer = lambda: None
    released.set()
    assert await on_vault.resolve("a") == [(b"hunter2", 1)]


async def test_a_token_that_was_replaced_is_read_again(on_vault: Platform, vault: FakeVault) -> None:
    await on_vault.create("a", b"hunter2")
    vault.issue_token("flyteplane")
    assert await on_vault.resolve("a") == [(b"hunter2", 1)]
    vault.tokens.clear()
    with pytest.raises(Unavailable, match="refuses the platform") as caught:
        await on_vault.resolve("a")
    assert "policy" in caught.value.mend


async def test_an_approle_logs_in_again(tmp_path: Path, vault: FakeVault) -> None:
    keys = VaultKeys(vault.settings("flyteplane", approle=True))
    wrapped = await keys.wrap(DATA_KEY, binding=b"")
    vault.tokens.clear()
    assert await keys.unwrap(wrapped, binding=b"") == DATA_KEY
    vault.secret_ids.clear()
    vault.tokens.clear()
    with pytest.raises(Unavailable, match="refuses the login") as caught:
        await keys.unwrap(wrapped, binding=b"")
    assert vault.secret_id_file.read_text().strip() not in caught.value.public_text


async def test_a_namespace_is_asked_in(tmp_path: Path) -> None:
    with FakeVault(tmp_path, namespace="team") as vault:
        vault.make_key("flyteplane")
        settings = vault.settings("flyteplane")
        assert await VaultKeys(settings).current_key_id() == "vault:transit/flyteplane:v1"
        with pytest.raises(FailedPrecondition):
            await VaultKeys(replace(settings, namespace="")).current_key_id()


async def test_a_version_that_vault_gives_out_no_more_is_a_missing_key(vault: FakeVault) -> None:
    keys = VaultKeys(vault.settings("flyteplane"))
    wrapped = await keys.wrap(DATA_KEY, binding=b"")
    vault.keys["flyteplane"].rotate()
    vault.keys["flyteplane"].min_decryption_version = 2
    with pytest.raises(FailedPrecondition) as caught:
        await keys.unwrap(wrapped, binding=b"")
    assert caught.value.reason == "SECRET_KEY_MISSING"
    await keys.refresh()
    assert not await keys.holds(wrapped.key_id)


@pytest.mark.parametrize("derived", [None, True], ids=["none", "derived"])
async def test_a_key_that_cannot_be_used_stops_the_start(
    tmp_path: Path, vault: FakeVault, derived: bool | None
) -> None:
    if derived:
        vault.make_key("other", derived=True)
    platform = Platform(tmp_path, ManualClock())
    platform.settings = with_vault(vault.settings("other"))
    with pytest.raises(FailedPrecondition, match="the key other at transit of Vault") as caught:
        await platform.start()
    assert "vault write" in caught.value.mend


async def test_no_error_tells_tokens_or_keys(vault: FakeVault, log_lines: LogLines) -> None:
    keys = VaultKeys(vault.settings("flyteplane", timeout_s=0.5))
    wrapped = await keys.wrap(DATA_KEY, binding=b"")
    token = vault.token_file.read_text().strip()
    told: list[str] = []

    async def fail() -> None:
        for question in (keys.wrap(DATA_KEY, binding=b""), keys.unwrap(wrapped, binding=b"")):
            with pytest.raises(PlatformError) as caught:
                await question
            told.append(f"{caught.value!r} {caught.value.__cause__!r} {vars(caught.value)}")

    vault.sealed = True
    await fail()
    vault.sealed = False
    del vault.keys["flyteplane"]
    await fail()
    vault.stop()
    await fail()
    assert log_lines.all("vault_does_not_answer")
    text = "".join(told) + log_lines.text
    assert token not in text
    assert "AAECAwQF" not in text


async def test_credentials_of_somebody_else_are_not_used(
    vault: FakeVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = vault.settings("flyteplane")
    monkeypatch.setenv("VAULT_TOKEN", vault.token_file.read_text().strip())
    keys = VaultKeys(replace(settings, token_file=tmp_path / "missing"))
    with pytest.raises(FailedPrecondition, match="holds no credentials"):
        await keys.wrap(DATA_KEY, binding=b"")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "vault:8200"}, "vault.address"),
        ({"address": "https://user:password@vault:8200"}, "vault.address"),
        ({"key": "a/b"}, "vault.key"),
        ({"mount": ""}, "vault.mount"),
        ({"key": "k" * 25}, "vault.key"),
        ({"token_file": None}, "vault.token_file"),
        ({"approle": AppRole(role_id="r", secret_id_file=Path("f"))}, "vault.token_file"),
        ({"timeout_s": 0}, "vault.timeout_s"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, object], field: str) -> None:
    given: dict[str, object] = {"address": "https://vault:8200", "key": "k", "token_file": Path("t"), **changes}
    with pytest.raises(InvalidArgument) as caught:
        VaultSettings(**given)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert "password" not in caught.value.message
