"""A whole platform whose keys are in Vault, as an operator's file says; Vault is the strict fake over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fake_vault import FakeVault
from tests.support.platform import PlatformUnderTest
from tests.system.conftest import connect
from tests.system.programs import secret_delivery as program

import flyte
from flyte.client.init import set_settings

VALUE = "kept under a key that never leaves Vault"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[FakeVault]:
    with FakeVault(tmp_path) as vault:
        vault.make_key("flyteplane")
        yield vault


@pytest.fixture
def platform(tmp_path: Path, vault: FakeVault) -> Iterator[PlatformUnderTest]:
    """A platform of the test's own, with this process as its client."""
    vault.settings("flyteplane")
    file = tmp_path / "flyteplane.yaml"
    section = {"address": vault.address, "key": "flyteplane", "token_file": vault.token_file.name, "timeout_s": 2}
    file.write_text(json.dumps({"secrets": {"provider": "vault", "vault": section}}))
    platform = PlatformUnderTest(tmp_path / "platform", options=["--config", str(file)])
    try:
        platform.start()
        connect(platform)
        yield platform
        platform.stop()
    finally:
        set_settings(None)
        platform.destroy()


def test_attempts_wait_for_vault_and_keys_are_rotated_in_it(platform: PlatformUnderTest, vault: FakeVault) -> None:
    made = platform.ask("create", "secret", "DELIVERED", stdin=VALUE)
    assert made.returncode == 0, made.stderr
    vault.stop()
    run = flyte.run(program.one_of_many, 1)
    told = platform.ask("update", "secret", "DELIVERED", stdin="x")
    assert told.returncode == 1
    assert f"Vault at {vault.address} does not answer" in told.stderr
    vault.start()
    # No retry of the task was spent on the time without keys; it has none.
    assert run.outputs()[0] == program.digest(VALUE)

    moved = platform.ask("update", "secret-keys", "--new").stdout
    assert moved == "Moved 1 secret under key vault:transit/flyteplane:v2.\n"
    vault.keys["flyteplane"].min_decryption_version = 2
    platform.kill()
    vault.stop()
    platform.start()
    connect(platform)
    vault.start()
    assert flyte.run(program.one_of_many, 2).outputs()[0] == program.digest(VALUE)
    assert not list((platform.data / "keys").glob("secrets-*.key"))
    log = (platform.data / "platform.log").read_text()
    assert vault.token_file.read_text().strip() not in log
    assert VALUE not in log
