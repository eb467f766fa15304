"""The unit for one machine: known to systemd, started as the command line can be, stopped as the platform stops."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyte.cli.main import main as command_line
from flyteplane.launcher.process import CLOSE_WITHIN_S

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "flyteplane.service"
PROGRAM = "%h/.local/bin/flyte"


@pytest.fixture
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd are as they are written
    unit.read_string(UNIT.read_text())
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    return unit["Service"]


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    # It looks whether the program is there.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, sys.executable))
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
        timeout=60,
    )
    if "Failed to initialize manager" in done.stderr:
        pytest.skip("systemd-analyze cannot run here")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_is_one_that_there_is(service: configparser.SectionProxy) -> None:
    program, name, *options = shlex.split(service["ExecStart"])
    assert program == PROGRAM
    told = CliRunner().invoke(command_line, [name, "--help"])
    assert told.exit_code == 0, told.output
    assert all(f" {option} " in told.output for option in options)
    assert "--foreground" in options


def test_the_platform_may_close_before_it_is_killed_and_its_link_is_in_no_journal(
    service: configparser.SectionProxy,
) -> None:
    assert float(service["TimeoutStopSec"]) > CLOSE_WITHIN_S + 5
    assert service["KillMode"] == "mixed"
    assert service["StandardOutput"] == "null"
    assert service["StandardError"] == "journal"
    assert service["UMask"] == "0077"
