"""Over the network of one machine: who has which key may do what, from the command line to the audit log."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner
from tests.support.platform import PlatformUnderTest

from flyte.cli.main import cli
from flyte.client.init import set_settings

PROGRAM = """
import flyte

env = flyte.TaskEnvironment(name="env")


@env.task
async def main(n: int = 1) -> int:
    return n + 1
"""


class Person:
    """Somebody on the machine who has a key and no access to the platform's folder."""

    def __init__(self, platform: PlatformUnderTest, folder: Path, key: str) -> None:
        self._platform = platform
        self._folder = folder
        self.key = key

    def flyte(self, *arguments: str, key: str | None = None) -> CompletedProcess[str]:
        environment = {
            "FLYTE_API_KEY": self.key if key is None else key,
            "FLYTE_PLATFORM_DATA": str(self._folder / "none"),
        }
        command = ("--endpoint", self._platform.endpoint, *arguments)
        return self._platform.flyte(*command, cwd=self._folder, env=environment)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    platform = PlatformUnderTest(tmp_path_factory.mktemp("identity") / "platform", endpoint="127.0.0.1:0")
    platform.start()
    yield platform
    platform.stop()
    platform.assert_nothing_runs()
    platform.destroy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "program.py").write_text(PROGRAM)
    return folder


def said(done: CompletedProcess[str]) -> str:
    """What a command printed; fails if the command did."""
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(done: CompletedProcess[str]) -> str:
    """What a command complained of; fails if it did not."""
    assert done.returncode != 0, done.stdout
    return " ".join(done.stderr.split())


def make_key(platform: PlatformUnderTest, folder: Path, name: str, *options: str) -> Person:
    return Person(platform, folder, said(platform.ask("create", "api-key", name, *options)))


def test_the_owner_needs_not_say_who_it_is(platform: PlatformUnderTest) -> None:
    me = json.loads(said(platform.ask("whoami", "--json")))
    assert (me["subject"], me["roles"]) == ("key:owner", ["admin in */*"])


@pytest.fixture(scope="module")
def viewer(platform: PlatformUnderTest, folder: Path) -> Person:
    return make_key(platform, folder, "looks", "--role", "viewer", "--project", "flytesnacks", "--valid-for", "1h")


def test_others_must_and_get_what_their_keys_allow(platform: PlatformUnderTest, folder: Path, viewer: Person) -> None:
    nobody = Person(platform, folder, "")
    assert "carries no credential" in refused(nobody.flyte("whoami"))
    said(platform.ask("create", "project", "--id", "far-away"))
    runner = make_key(platform, folder, "runs", "--role", "runner", "--project", "flytesnacks")
    assert "needs the role runner" in refused(viewer.flyte("run", "program.py", "main"))
    assert "5" in said(runner.flyte("run", "--follow", "program.py", "main", "--n", "4"))
    runs = json.loads(said(viewer.flyte("get", "run", "--json")))
    assert [one["created_by"] for one in runs] == ["key:runs"]
    assert "there is no run far-away" in refused(runner.flyte("--project", "far-away", "get", "run", runs[0]["run"]))
    assert "far-away" not in said(runner.flyte("get", "project"))

    said(platform.ask("delete", "api-key", "runs"))
    assert "was revoked" in refused(runner.flyte("get", "run"))
    listed = {key["name"]: key["state"] for key in json.loads(said(platform.ask("get", "api-key", "--json")))}
    assert listed == {"looks": "valid", "runs": "revoked"}
    noted = {
        ("nobody", "WhoAmI", "UNAUTHENTICATED"),
        ("key:looks", "CreateUploadUrl", "PERMISSION_DENIED"),
        ("key:runs", "CreateRun", "OK"),
        ("key:runs", "GetRun", "PERMISSION_DENIED"),
        ("key:owner", "RevokeApiKey", "OK"),
    }
    # Written beside the calls, a moment after them.
    give_up_at = time.monotonic() + 30
    while (missing := noted - audit(platform)) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not missing


def audit(platform: PlatformUnderTest) -> set[tuple[str, str, str]]:
    entries = json.loads(said(platform.ask("get", "audit", "--json")))
    return {(entry["subject"], entry["call"], entry["status"]) for entry in entries}


def test_people_of_the_provider_are_given_roles(platform: PlatformUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(platform.data))

    def flyte(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["--endpoint", platform.endpoint, *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    try:
        role = ("oidc:bob@example.org", "--role", "runner", "-p", "flytesnacks")
        assert flyte("create", "role-grant", *role) == "oidc:bob@example.org is now runner in flytesnacks/*."
        assert flyte("get", "role-grant") == "oidc:bob@example.org\trunner in flytesnacks/*"
        flyte("delete", "role-grant", *role)
        assert json.loads(flyte("get", "role-grant", "--json")) == []
    finally:
        set_settings(None)


def test_a_command_may_give_the_credential(viewer: Person, folder: Path) -> None:
    script, config = folder / "token.py", folder / "config.yaml"
    script.write_text(f"print({viewer.key!r})\n")
    config.write_text(json.dumps({"admin": {"command": [sys.executable, str(script)]}}))
    options = ("--config", str(config), "whoami", "--json")
    assert json.loads(said(viewer.flyte(*options, key="")))["subject"] == "key:looks"
    script.write_text("raise SystemExit('log in first')\n")
    assert "log in first" in refused(viewer.flyte(*options, key=""))


def test_keys_are_kept_where_nobody_else_reads_and_never_as_they_are(
    platform: PlatformUnderTest, viewer: Person
) -> None:
    assert (platform.data / "keys/owner.key").stat().st_mode & 0o777 == 0o600
    secret = viewer.key.split("_", 2)[2].encode()
    for path in platform.data.rglob("*"):
        if path.is_file() and os.access(path, os.R_OK):
            assert secret not in path.read_bytes(), path
