"""The two places that behaviour must be the same in: this process, and a platform with everything in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.support.command_line import flyte_here
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest

import flyte
from flyte.client.init import set_settings

PROGRAMS = Path(__file__).parent / "programs"
# The programs import each other as they would on a worker, where their folder is the root of the bundle.
sys.path.insert(0, str(PROGRAMS))


class Place:
    """Where tasks run."""

    def __init__(self, kind: Literal["local", "platform"], platform: PlatformUnderTest | None) -> None:
        self.kind = kind
        self._platform = platform

    def run(self, task: Any, *inputs: Any, **context: Any) -> Any:
        """Starts a run of a task; a local one is over then."""
        return flyte.with_runcontext("local" if self.kind == "local" else "remote", **context).run(task, *inputs)

    def result(self, task: Any, *inputs: Any, **context: Any) -> Any:
        """Runs a task to its end and returns its output."""
        outputs = self.run(task, *inputs, **context).outputs()
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def mail_folder(self, run: Any) -> Path:
        """Return where mails are written while nobody has named a mail server."""
        return Path(run.url) / "mail" if self._platform is None else self._platform.data / "mail"

    def client_environment(self, *, home: Path) -> dict[str, str]:
        """Return the variables of a program that finds this place by itself."""
        if self._platform is not None:
            return {**self._platform.client_environment, "HOME": str(home)}
        known = {name: value for name, value in os.environ.items() if not name.startswith("FLYTE_")}
        return {**known, "HOME": str(home), "FLYTE_PLATFORM_DATA": str(home / "none")}

    def flyte(self, *words: str, stdin: str = "") -> str:
        """Runs the command line here; returns what it printed."""
        if self._platform is not None:
            done = self._platform.ask(*words, stdin=stdin)
        else:
            done = flyte_here(*words, "--local", env={}, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def standing_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """One platform for all tests of this process; it only starts if one of them runs on it."""
    platform = PlatformUnderTest(tmp_path_factory.mktemp("semantics") / "platform")
    try:
        platform.start()
        yield platform
        platform.stop()
        platform.assert_nothing_runs()
    finally:
        platform.destroy()


@pytest.fixture(params=["local", "platform"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Each of the two places in turn."""
    platform = None
    if request.param == "platform":
        platform = request.getfixturevalue("standing_platform")
        flyte.init(endpoint=platform.endpoint, root_dir=PROGRAMS)
    else:
        monkeypatch.setenv("HOME", str(tmp_path))
        set_settings(None)
    yield Place(request.param, platform)
    set_settings(None)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A book in which tasks write down that they ran."""
    return Ledger(tmp_path / "ledger")
