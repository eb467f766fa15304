"""Takes the pictures of the console: called by tools/screenshots.

What they show is real: a platform is started, the digits sweep is deployed and run on it, whole, failing and aborted,
and the browser is led through the pages as a person would.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from playwright.sync_api import BrowserContext, Page, sync_playwright

REPOSITORY: Final = Path(__file__).resolve().parent.parent
FLYTE: Final = Path(sys.executable).with_name("flyte")
SCOPE: Final = "flytesnacks/development"
MOST_BYTES: Final = 150_000
SIZE: Final = {"width": 1280, "height": 800}


class Platform:
    """A platform of its own, in a folder that is removed afterwards."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "platform"
        self._environment = {**os.environ, "FLYTE_PLATFORM_DATA": str(self.data)}

    def flyte(self, *words: str, may_fail: bool = False) -> str:
        """Run a command of the CLI and return what it prints."""
        finished = subprocess.run(
            [str(FLYTE), *words], env=self._environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        if finished.returncode and not may_fail:
            raise SystemExit(f"flyte {' '.join(words)}: {finished.stderr}")
        return finished.stdout.strip()

    def sweep(self, name: str, candidates: int, *more: str, may_fail: bool = False) -> None:
        """Run the sweep."""
        words = ("run", "--name", name, *more, "deployed-task", "digits.sweep", "--candidates", str(candidates))
        self.flyte(*words, may_fail=may_fail)


def main(folder: Path) -> None:
    """Take all pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        platform = Platform(Path(scratch))
        platform.flyte("up", "--console-listen", "127.0.0.1:0")
        try:
            _work(platform)
            _look(platform, folder, chromium)
        finally:
            platform.flyte("down", may_fail=True)


def _work(platform: Platform) -> None:
    """Everything that the pictures show."""
    platform.flyte("deploy", "examples/digits_sweep.py")
    platform.sweep("digits-wide", 24, "--label", "team=vision", "--label", "goal=release")
    platform.sweep("digits-none", 0, may_fail=True)
    platform.sweep("digits-stopped", 48, "--no-wait", "--label", "team=vision")
    platform.flyte("abort", "run", "digits-stopped")
    platform.sweep("digits-small", 6, "--label", "team=vision")


def _look(platform: Platform, folder: Path, chromium: str) -> None:
    said = json.loads((platform.data / "console.json").read_text())
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        context = browser.new_context(base_url=said["url"], viewport=SIZE)  # type: ignore[arg-type]  # a TypedDict
        page = context.new_page()
        page.goto(said["link"])
        page.wait_for_url("**/runs*")
        page.close()
        for name, scheme, prepare in PICTURES:
            _picture(context, folder / f"{name}.png", scheme, prepare)
        browser.close()


def _picture(context: BrowserContext, path: Path, scheme: str, prepare: Callable[[Page], None]) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    prepare(page)
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled")
    page.close()
    size = path.stat().st_size
    print(f"{path.name}: {size / 1000:.0f} KB")
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has {size} bytes, more than {MOST_BYTES}")


def _runs(page: Page) -> None:
    page.goto("/runs")


def _run(page: Page) -> None:
    page.goto(f"/runs/{SCOPE}/digits-wide")
    page.get_by_role("button", name="Group training").click()
    page.get_by_role("link", name="train").first.wait_for()


def _action(page: Page) -> None:
    _run(page)
    page.get_by_role("link", name="train").first.click()
    page.get_by_text("kernel=rbf").first.wait_for()


def _form(page: Page) -> None:
    page.goto(f"/launch?task={SCOPE}/digits.sweep")
    page.get_by_label("candidates").fill("24")
    page.get_by_label("Labels").fill("team=vision")
    page.get_by_role("heading", name="Run digits.sweep").click()


PICTURES: Final[tuple[tuple[str, str, Callable[[Page], None]], ...]] = (
    ("console-runs", "light", _runs),
    ("console-run", "light", _run),
    ("console-run-dark", "dark", _run),
    ("console-action", "light", _action),
    ("console-launch", "light", _form),
)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
