"""Over the network of one machine: who has which key may do what, from the command line to the audit log."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.support.platform import PlatformUnderTest

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
        self.environment = {"FLYTE_API_KEY": key, "FLYTE_PLATFORM_DATA": str(folder / "none")}

    def flyte(self, *arguments: str) -> CompletedProcess[str]:
        return self._platform.flyte(
            "--endpoint", self._platform.endpoint, *arguments, cwd=self._folder, env=self.environment
        )


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
    return Person(platform, folder, said(platform.flyte("create", "api-key", name, *options)))


def test_the_owner_needs_not_say_who_it_is(platform: PlatformUnderTest) -> None:
    me = json.loads(said(platform.flyte("whoami", "--json")))
    assert (me["subject"], me["roles"]) == ("key:owner", ["admin in */*"])


def test_others_must_and_get_what_their_keys_allow(platform: PlatformUnderTest, folder: Path) -> None:
    nobody = Person(platform, folder, "")
    assert "carries no credential" in refused(nobody.flyte("whoami"))
    said(platform.flyte("create", "project", "--id", "far-away"))
    viewer = make_key(platform, folder, "looks", "--role", "viewer", "--project", "flytesnacks", "--valid-for", "1h")
    runner = make_key(platform, folder, "runs", "--role", "runner", "--project", "flytesnacks")
    assert "needs the role runner" in refused(viewer.flyte("run", "program.py", "main"))
    assert "5" in said(runner.flyte("run", "--follow", "program.py", "main", "--n", "4"))
    runs = json.loads(said(viewer.flyte("get", "run", "--json")))
    assert [one["created_by"] for one in runs] == ["key:runs"]
    assert "there is no run far-away" in refused(runner.flyte("--project", "far-away", "get", "run", runs[0]["run"]))
    assert "far-away" not in said(runner.flyte("get", "project"))

    said(platform.flyte("delete", "api-key", "runs"))
    assert "was revoked" in refused(runner.flyte("get", "run"))
    listed = {key["name"]: key["state"] for key in json.loads(said(platform.flyte("get", "api-key", "--json")))}
    assert listed == {"looks": "valid", "runs": "revoked"}


def test_the_audit_log_tells_who_did_what(platform: PlatformUnderTest, folder: Path) -> None:
    person = make_key(platform, folder, "audited", "--role", "viewer")
    refused(person.flyte("create", "secret", "TOKEN", "--value", "hush"))
    entries = said(platform.flyte("get", "audit", "--json"))
    assert any(
        (entry["subject"], entry["call"], entry["status"]) == ("key:audited", "CreateSecret", "PERMISSION_DENIED")
        for entry in json.loads(entries)
    )
    assert "hush" not in entries


def test_a_command_may_give_the_credential(platform: PlatformUnderTest, folder: Path) -> None:
    person = make_key(platform, folder, "by-command", "--role", "viewer")
    config = folder / "config.yaml"
    script = folder / "token.py"
    script.write_text(f"print({person.environment.pop('FLYTE_API_KEY')!r})\n")
    config.write_text(json.dumps({"admin": {"command": [sys.executable, str(script)]}}))
    assert json.loads(said(person.flyte("--config", str(config), "whoami", "--json")))["subject"] == "key:by-command"
    script.write_text("raise SystemExit('log in first')\n")
    assert "log in first" in refused(person.flyte("--config", str(config), "whoami"))


def test_keys_are_kept_where_nobody_else_reads_and_never_as_they_are(platform: PlatformUnderTest, folder: Path) -> None:
    key = make_key(platform, folder, "kept", "--role", "viewer").environment["FLYTE_API_KEY"]
    assert (platform.data / "keys/owner.key").stat().st_mode & 0o777 == 0o600
    secret = key.rpartition("_")[2].encode()
    for path in platform.data.rglob("*"):
        if path.is_file() and os.access(path, os.R_OK):
            assert secret not in path.read_bytes(), path
