"""A platform whose runs are full of what acts elsewhere, and its owner at the console."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.support.console_client import ConsoleClient
from tests.support.platform import PlatformUnderTest

PROGRAM: Final = Path(__file__).parent / "programs" / "hostile.py"
CHILDREN: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the tests look at."""

    platform: PlatformUnderTest
    owner: ConsoleClient
    done: str
    """Path of a run that succeeded."""
    failed: str

    def run(self, task: str, *arguments: str, wait: bool = True) -> str:
        """Start a run; returns the path of its page."""
        words = ("run", "--no-wait", str(PROGRAM), task, *arguments)
        started = self.platform.flyte(*words, cwd=PROGRAM.parent)
        assert started.returncode == 0, started.stderr
        path = f"/runs/flytesnacks/development/{started.stdout.strip()}"
        if wait:
            with self.owner.events(f"{path}/events") as events:
                assert any(kind == "ended" for kind, _, _ in events)
        return path


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all modules here."""
    platform = PlatformUnderTest(
        tmp_path_factory.mktemp("served") / "platform", options=("--console-listen", "127.0.0.1:0")
    )
    try:
        platform.start()
        owner = ConsoleClient.signed_in(link_of(platform))
        fresh = Served(platform=platform, owner=owner, done="", failed="")
        done, failed = fresh.run("parent", "--n", str(CHILDREN)), fresh.run("failing", "--text", "<i>x</i>")
        yield Served(platform=platform, owner=owner, done=done, failed=failed)
        platform.stop()
        platform.assert_nothing_runs()
    finally:
        platform.destroy()


def link_of(platform: PlatformUnderTest) -> str:
    """The link that lets its owner in, once."""
    link: str = json.loads((platform.data / "console.json").read_text())["link"]
    return link
