"""The tree of commands: help that is right without loading anything, and a start that is quick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.sdk.cli.conftest import Flyte

from flyte.cli import get, main
from flyte.cli.lazy import LazyCommand
from flyte.cli.main import COMMANDS

TABLES = {**COMMANDS, **{f"get {name}": command for name, command in get.COMMANDS.items()}}
HEAVY = {"grpc", "google", "pydantic", "markdown_it", "flyteapi", "asyncio"}


@pytest.mark.parametrize("name", TABLES)
def test_a_command_can_be_loaded_and_has_help(name: str, flyte: Flyte) -> None:
    lazy: LazyCommand = TABLES[name]
    command = lazy.load()
    assert command.name == name.split()[-1]
    assert command.help
    assert lazy.help.endswith(".")
    finished = flyte(*name.split(), "--help")
    assert finished.code == 0
    assert "Usage:" in finished.out


def test_every_option_says_what_it_is(flyte: Flyte) -> None:
    for lazy in TABLES.values():
        command = lazy.load()
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"{command.name} {parameter.name}"


def test_an_unknown_command_is_refused(flyte: Flyte) -> None:
    finished = flyte("rnu")
    assert finished.code == 1
    assert "No such command 'rnu'" in finished.err


def test_help_loads_nothing_heavy(repository: Path) -> None:
    program = (
        "import sys, json\nfrom flyte.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(finished.stdout.splitlines()[-1]))
    assert loaded & HEAVY == set()


def test_the_version_is_printed(flyte: Flyte) -> None:
    from flyte.spec.version import __version__

    assert __version__ in flyte("--version").out


def test_a_configuration_that_cannot_be_read_is_one_error(flyte: Flyte, here: Path) -> None:
    (here / "c.yaml").write_text("- 1\n")
    finished = flyte("-c", "c.yaml", "whoami")
    assert finished.code == 1
    assert "must hold sections" in finished.err


def test_a_configuration_is_written_and_found(flyte: Flyte, here: Path) -> None:
    finished = flyte("create", "config", "--endpoint", f"unix:{here}/no.sock", "--project", "p")
    assert finished.code == 0
    assert flyte("create", "config", "--endpoint", "x:1").code == 1
    assert f"No Flyteplane platform answers at unix:{here}/no.sock" in flyte("whoami").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "secret", "S", "--value", "a", "--from-file", "f"], "two sources"),
        (["create", "secret", "S", "--value", ""], "is empty"),
        (["create", "secret", "S", "--from-file", "missing"], "cannot be read"),
        (["update", "project", "p"], "Nothing to change"),
        (["get", "io", "r", "-i", "-o"], "nothing to print"),
        (["get", "logs", "r", "--all", "--follow"], "--all prints what is there"),
        (["delete", "cache", "t", "--older-than", "soon"], "is no duration"),
        (["rerun", "r", "--force-rerun-action", "a"], "recover"),
        (["get", "run", "--watch", "--local"], "local runs end before"),
        (["get", "run", "--watch", "--in-phase", "failed"], "--watch without NAME takes"),
        (["deploy", "missing.py"], "does not exist"),
    ],
)
def test_requests_that_make_no_sense_are_refused_here(flyte: Flyte, arguments: list[str], words: str) -> None:
    finished = flyte(*arguments)
    assert finished.code == 1
    assert words in " ".join(finished.err.split())


def test_the_command_is_a_group_that_programs_can_invoke() -> None:
    assert "--copy-style" in CliRunner().invoke(main, ["run", "--help"]).output
    by_module = [sys.executable, "-m", "flyte.cli", "run", "--help"]
    assert "--copy-style" in subprocess.run(by_module, capture_output=True, text=True, check=True).stdout
