"""Where the credential of a call comes from, and when another one is asked for."""

from __future__ import annotations

import json
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

import flyte
from flyte.client.credentials import Credentials
from flyte.client.init import current_settings, set_settings
from flyte.client.settings import ClientSettings, settings_from_config
from flyte.config.files import ConfigFile
from flyte.config.reading import read
from flyte.errors import InitializationError
from flyte.remote import auth_metadata
from flyte.syncify import syncify

ENDPOINT = "127.0.0.1:7000"


async def sent(**settings: Any) -> str:
    """The credential that goes with a call; empty for none."""
    given = {"endpoint": ENDPOINT, **settings}
    metadata = await Credentials(ClientSettings(**given)).metadata()
    return metadata[0][1].removeprefix("Bearer ") if metadata else ""


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a platform that runs on this machine, with the key of its owner."""
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(tmp_path))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/owner.key").write_text("owner_key\n")
    (tmp_path / "platform.json").write_text(json.dumps({"pid": 1, "endpoint": ENDPOINT}))
    return tmp_path


class Command:
    """A program that prints a token and notes that it was asked."""

    def __init__(self, folder: Path, token: str) -> None:
        self._asked = folder / "asked"
        program = folder / "token.py"
        program.write_text(f"open({str(self._asked)!r}, 'a').write('.')\nprint({token!r})\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.words = (sys.executable, str(program))

    @property
    def asked(self) -> int:
        return len(self._asked.read_text()) if self._asked.exists() else 0


async def test_the_owner_of_this_machines_platform_says_nothing(at_home: Path) -> None:
    assert await sent() == "owner_key"
    assert await sent(endpoint="127.0.0.1:7001") == "", "the key is for that platform only"
    assert await sent(endpoint=f"unix:{at_home}/platform.sock") == ""
    assert await sent(api_key="mine") == "mine"


async def test_a_key_file_is_read_and_a_missing_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" abc \n")
    assert await sent(api_key_file=tmp_path / "key") == "abc"
    with pytest.raises(InitializationError, match="cannot be read"):
        await sent(api_key_file=tmp_path / "none")


async def test_a_command_is_asked_once_until_its_token_ends_or_is_refused(tmp_path: Path) -> None:
    command = Command(tmp_path, jwt.encode({"exp": int(time.time()) + 3600}, "k" * 32))
    credentials = Credentials(ClientSettings(endpoint=ENDPOINT, command=command.words))
    for _ in range(3):
        assert await credentials.metadata()
    assert command.asked == 1
    assert credentials.renew()
    await credentials.metadata()
    assert command.asked == 2
    assert not Credentials(ClientSettings(endpoint=ENDPOINT, api_key="k")).renew(), "a key is what it is"


async def test_a_token_that_is_about_to_end_is_not_used_again(tmp_path: Path) -> None:
    command = Command(tmp_path, jwt.encode({"exp": int(time.time()) + 5}, "k" * 32))
    credentials = Credentials(ClientSettings(endpoint=ENDPOINT, command=command.words))
    await credentials.metadata()
    await credentials.metadata()
    assert command.asked == 2


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "pass"), ("false",)])
async def test_a_command_without_a_token_is_told(command: tuple[str, ...]) -> None:
    with pytest.raises(InitializationError, match="token"):
        await sent(command=command)


def test_the_configuration_names_a_key_a_file_or_a_command(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"admin": {"apiKeyFile": str(tmp_path / "key"), "command": ["idp", "token"]}}))
    settings = settings_from_config(read(ConfigFile.read(path), environment={"FLYTE_API_KEY": "k"}), endpoint=ENDPOINT)
    assert (settings.api_key, settings.api_key_file, settings.command) == ("k", tmp_path / "key", ("idp", "token"))
    spelled = read(None, environment={"FLYTE_ADMIN_COMMAND": "idp token --audience 'a b'"}).platform
    assert spelled.command == ("idp", "token", "--audience", "a b")
    assert "k'" not in repr(settings)


def test_what_is_given_in_the_program_wins() -> None:
    try:
        flyte.init(endpoint=ENDPOINT, command=["idp", "token"])
        settings = current_settings()
        assert settings is not None
        assert (settings.api_key, settings.command) == (None, ("idp", "token"))
        flyte.init(endpoint=ENDPOINT, api_key="k")
        settings = current_settings()
        assert settings is not None
        assert (settings.api_key, settings.command) == ("k", ())
    finally:
        set_settings(None)


async def test_calls_made_in_somebodys_name_carry_that_persons_credential(at_home: Path) -> None:
    settings = ClientSettings(endpoint=ENDPOINT, api_key="mine")
    mine, passed_on = Credentials(settings), Credentials(replace(settings, passthrough=True))
    assert await passed_on.metadata() == (), "its own key is nobody else's"
    with auth_metadata(("Authorization", "Bearer yours")):
        assert await mine.metadata() == await passed_on.metadata() == (("authorization", "Bearer yours"),)
        with auth_metadata(("x-tenant", "t")):
            assert await mine.metadata() == (("x-tenant", "t"), ("authorization", "Bearer mine"))
            assert await passed_on.metadata() == (("x-tenant", "t"),)
    assert await mine.metadata() == (("authorization", "Bearer mine"),)
    with pytest.raises(ValueError, match="at least one pair"), auth_metadata():
        pass
    with pytest.raises(TypeError, match="pairs of texts"), auth_metadata("Bearer x"):  # type: ignore[arg-type]  # wrong on purpose
        pass


def test_a_service_that_passes_credentials_on_has_none_of_its_own(at_home: Path) -> None:
    try:
        assert flyte.init_passthrough(endpoint=ENDPOINT, project="p") == {"endpoint": ENDPOINT, "project": "p"}
        settings = current_settings()
        assert settings is not None
        assert settings.passthrough
        with auth_metadata(("authorization", "Bearer yours")):
            sent = syncify(Credentials(settings).metadata)()
        assert sent == (("authorization", "Bearer yours"),), "the background loop sees the caller's"
    finally:
        set_settings(None)
