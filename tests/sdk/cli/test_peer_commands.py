"""What people type who know the peer's command line: every command and option has its effect, or says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rich_click as click
import yaml
from tests.sdk.cli.conftest import Flyte, within
from tests.sdk.cli.peer_commands import ABSENT, OPTIONS, REFUSED

from flyte.cli.gen import commands_below
from flyte.cli.main import cli
from flyte.cli.python_script import ScriptCommand
from flyte.cli.run_conditions import RunConditions


def test_every_option_of_the_peer_is_known() -> None:
    commands = {" ".join(path): command for path, command in commands_below(cli, ())}
    commands["run python-script"] = ScriptCommand()
    for name, options in OPTIONS.items():
        known = {spelling for one in commands[name].params for spelling in (*one.opts, *one.secondary_opts)}
        assert set(options.split()) <= known, name


def test_every_option_has_help() -> None:
    for path, command in commands_below(cli, ("flyte",)):
        assert command.help, path
        for one in command.params:
            assert not isinstance(one, click.Option) or one.help, (path, one.name)


@pytest.mark.parametrize("words", ["", "get", "create", "run"])
def test_help_that_nobody_asked_for_is_no_success(flyte: Flyte, words: str) -> None:
    finished = flyte(*words.split())
    assert finished.code == 1
    assert "Usage: flyte" in finished.out + finished.err


@pytest.mark.parametrize("words", ABSENT)
def test_a_command_that_is_absent_says_what_to_do(flyte: Flyte, words: str) -> None:
    finished = flyte(*words.split())
    assert (finished.code, finished.out) == (1, "")
    assert within(finished.err).startswith("There is no `flyte ")


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_done_is_refused_with_the_mend(flyte: Flyte, here: Path, words: str) -> None:
    (here / "s.py").write_text("print(1)\n")
    (here / "config.yaml").write_text("{}\n")
    finished = flyte(*words.split())
    assert (finished.code, finished.out) == (1, "")
    assert REFUSED[words] in within(finished.err)


def test_a_configuration_holds_all_that_was_given(flyte: Flyte, here: Path) -> None:
    (here / "ca.pem").touch()
    given = "--endpoint https://flyte.example --org o --project p --domain d --builder buildah --local-persistence"
    finished = flyte("create", "config", *given.split(), "--ca-cert", "ca.pem", "--auth-type", "pkce")
    assert finished.out == "Wrote .flyte/config.yaml.\n"
    assert yaml.safe_load((here / ".flyte" / "config.yaml").read_text()) == {
        "admin": {"endpoint": "https://flyte.example", "caCertFilePath": str(here / "ca.pem")},
        "task": {"org": "o", "project": "p", "domain": "d"},
        "image": {"builder": "buildah"},
        "local": {"persistence": True},
    }
    shown = json.loads(flyte("get", "config", "--json").out)
    assert (shown["ca_cert"], shown["org"], shown["image_builder"]) == (str(here / "ca.pem"), "o", "buildah")


def test_a_configuration_may_be_written_into_a_folder_that_is_there(flyte: Flyte, here: Path) -> None:
    (here / "conf").mkdir()
    assert flyte("create", "config", "--org", "o", "-o", "conf").out == "Wrote conf/config.yaml.\n"
    assert "cannot be written" in within(flyte("create", "config", "--org", "o", "-o", "conf/config.yaml/x").err)


def test_paused_is_a_condition_of_its_own() -> None:
    assert RunConditions(in_phase=("paused",)).for_listall()["paused_actions_only"]
    assert not RunConditions(in_phase=("failed",)).for_listall()["paused_actions_only"]


def test_the_documentation_has_every_command(flyte: Flyte) -> None:
    described = json.loads(flyte("gen", "docs", "--type", "json").out)
    assert {"flyte get run", "flyte create secret", "flyte run"} <= {one["command"] for one in described}
    assert "## `flyte get run`" in flyte("gen", "docs", "--type", "markdown").out


def test_json_may_be_asked_of_every_command(flyte: Flyte, here: Path) -> None:
    (here / "one.py").write_text(
        "import flyte\nenv = flyte.TaskEnvironment(name='one')\n@env.task\ndef main() -> int: return 1\n"
    )
    for form in ("json", "json-raw"):
        finished = flyte("--output-format", form, "run", "--local", "one.py", "main")
        assert json.loads(finished.out)["outputs"] == {"o0": 1}
    assert json.loads(flyte("-of", "json", "get", "config").out)["endpoint"].startswith("none")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("flyte ge", ["plain,get", "plain,gen"]),
        ("flyte get ru", ["plain,run"]),
        ("flyte get run --updated-b", ["plain,--updated-before"]),
        ("flyte get run --in-phase pau", ["plain,paused"]),
        ("flyte create secret --type im", ["plain,image_pull"]),
        ("flyte run dep", ["plain,deployed-task", "file,dep"]),
        ("flyte run shop.py ma", ["plain,main"]),
        ("flyte run shop.py main --numb", ["plain,--number"]),
        ("flyte deploy sh", ["file,sh"]),
        ("flyte run missing.py ma", []),
    ],
)
def test_bash_is_told_what_may_come_next(
    flyte: Flyte, here: Path, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]
) -> None:
    (here / "shop.py").write_text(
        "import flyte\nenv = flyte.TaskEnvironment(name='shop')\n@env.task\ndef main(number: int) -> int: return 1\n"
    )
    monkeypatch.setenv("_FLYTE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    finished = flyte()
    assert (finished.out.splitlines(), finished.err) == (offered, "")
