"""A platform and a browser that looks at its console: one of both for all modules here.

The browser is Debian's chromium, without a window. Every page that a test opens is watched: an error of a script, a
refusal by the content security policy or a request to another host fails the test.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from tests.support.cable import Cable
from tests.support.platform import PlatformUnderTest

PROGRAM: Final = Path(__file__).parent / "programs" / "sweeping.py"
#: Of everything that a page is expected to come to; a busy machine takes its time.
TIMEOUT_MS: Final = 20_000
expect.set_options(timeout=TIMEOUT_MS)
#: The browser says this of each answer that is no 2xx, also of those that a test asks for.
_EXPECTED: Final = "Failed to load resource: the server responded with a status of"


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform with a console and the deployed program."""
    platform = PlatformUnderTest(
        tmp_path_factory.mktemp("console") / "platform", options=("--console-listen", "127.0.0.1:0")
    )
    try:
        platform.start()
        deployed = platform.flyte("deploy", str(PROGRAM), cwd=PROGRAM.parent)
        assert deployed.returncode == 0, deployed.stderr
        yield platform
        platform.stop()
        platform.assert_nothing_runs()
    finally:
        platform.destroy()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    # There is nothing to see: Debian asks for a graphics processor, and one that is emulated is slow.
    options = ["--disable-gpu", "--disable-gpu-rasterization", "--disable-software-rasterizer"]
    if os.getuid() == 0:
        options.append("--no-sandbox")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=options)
        yield opened
        opened.close()


def _console(platform: PlatformUnderTest) -> dict[str, str]:
    said: dict[str, str] = json.loads((platform.data / "console.json").read_text())
    return said


@pytest.fixture(scope="package")
def cable(platform: PlatformUnderTest) -> Iterator[Cable]:
    """What connects the browser with the console."""
    with Cable(to=("127.0.0.1", urlsplit(_console(platform)["url"]).port or 0)) as cable:
        yield cable


@pytest.fixture(scope="package")
def signed_in(platform: PlatformUnderTest, browser: Browser, cable: Cable) -> Iterator[tuple[BrowserContext, str]]:
    """A session of the owner of the platform, and the address of the console."""
    url, link = f"http://127.0.0.1:{cable.port}", urlsplit(_console(platform)["link"])
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{link.path}?{link.query}")
    page.wait_for_url("**/runs*")
    page.close()
    yield context, url
    context.close()


@pytest.fixture
def page(signed_in: tuple[BrowserContext, str]) -> Iterator[Page]:
    """A page of somebody who is signed in, watched for what must not happen."""
    context, url = signed_in
    opened = context.new_page()
    trouble: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith((_EXPECTED, "Failed to load resource: net::")):
            trouble.append(message.text)

    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("console", note)
    opened.on(
        "request", lambda request: None if request.url.startswith((url, "data:")) else trouble.append(request.url)
    )
    opened.on("dialog", lambda dialog: dialog.accept())
    yield opened
    opened.close()
    assert trouble == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that judges how accessible a page is."""
    package = Path(os.environ.get("FLYTEPLANE_TEST_AXE", ""))
    if not package.is_file():
        pytest.skip("FLYTEPLANE_TEST_AXE names no package of axe-core (npm pack axe-core)")
    with tarfile.open(package) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


Judge = Callable[[Page], list[str]]


@pytest.fixture
def judge(axe: str) -> Judge:
    """Returns what is seriously wrong with a page for people with disabilities; of the dark theme, its contrasts."""

    def judged(page: Page) -> list[str]:
        # Evaluated by the debugger, which the content security policy does not bind.
        page.evaluate(axe)
        page.emulate_media(color_scheme="light")
        found = _violations(page, "axe.run({resultTypes: ['violations']})")
        page.emulate_media(color_scheme="dark")
        return found + _violations(page, "axe.run({runOnly: ['color-contrast'], resultTypes: ['violations']})")

    return judged


def _violations(page: Page, check: str) -> list[str]:
    found: dict[str, Any] = page.evaluate(check)
    return [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
