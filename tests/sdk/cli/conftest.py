"""The command line, called as `flyte` is, with settings and module path as they were afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flyte.cli.main import main
from flyte.client.init import current_settings, set_settings

if TYPE_CHECKING:
    from tests.sdk.cli.administration_platform import AdministrationPlatform


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str


def within(panel: str) -> str:
    """What stands in the one panel of an error, on one line."""
    assert panel.count("─ Error ─") == 1, panel
    return " ".join(word for word in panel.partition("─ Error ─")[2].split() if word.strip("│─╭╮╰╯"))


Flyte = Callable[..., Finished]
Command = Callable[..., Finished]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder and home, in which no platform runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(tmp_path / "platform"))
    monkeypatch.delenv("FLYTE_ADMIN_ENDPOINT", raising=False)
    path_before, modules_before, settings_before = list(sys.path), set(sys.modules), current_settings()
    yield tmp_path
    sys.path[:] = path_before
    set_settings(settings_before)
    for name in set(sys.modules) - modules_before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def flyte(here: Path, capsys: pytest.CaptureFixture[str]) -> Flyte:
    """Runs a command in this process."""

    def run(*arguments: str) -> Finished:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        captured = capsys.readouterr()
        assert isinstance(stopped.value.code, int)
        return Finished(stopped.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def administered(tmp_path: Path) -> Iterator[AdministrationPlatform]:
    """A platform with queues, resource classes and clusters that runs."""
    from tests.sdk.cli.administration_platform import AdministrationPlatform

    platform = AdministrationPlatform(tmp_path)
    platform.start()
    yield platform
    platform.close()


@pytest.fixture
def operate(administered: AdministrationPlatform, flyte: Flyte) -> Command:
    """Runs a command against that platform, which has to end with the code `fails`."""

    def run(*arguments: str, fails: int = 0) -> Finished:
        finished = flyte("--endpoint", administered.endpoint, "--insecure", *arguments)
        assert finished.code == fails, finished
        return finished

    return run
