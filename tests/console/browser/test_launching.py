"""Starting runs from the form: what is refused, what is asked for, what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect
from tests.console.browser.conftest import Judge
from tests.support.platform import PlatformUnderTest

SCOPE: Final = "flytesnacks/development"
FORM: Final = f"/launch?task={SCOPE}/sweeping.sweep"
MAIN_PAGES: Final = (
    "/runs",
    "/tasks",
    f"/tasks/{SCOPE}/sweeping.sweep",
    FORM,
    "/triggers",
    "/queues",
    "/pools",
    "/secrets",
    "/clusters",
)
MEASURE: Final = """[
    performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .reduce((total, entry) => total + entry.decodedBodySize, 0),
]"""


def outcome(platform: PlatformUnderTest, run: str) -> dict[str, object]:
    """What `flyte get run` says of a run."""
    found: dict[str, object] = json.loads(platform.flyte("get", "run", run, "--json").stdout)
    return found


def inputs(platform: PlatformUnderTest, run: str) -> dict[str, object]:
    """The inputs that a run was given."""
    found: dict[str, object] = json.loads(platform.flyte("get", "io", run, "--inputs-only").stdout)["inputs"]
    return found


def test_a_task_is_found_and_launched_from_the_form(page: Page, platform: PlatformUnderTest) -> None:
    page.goto("/tasks")
    page.get_by_role("link", name="sweeping.sweep", exact=True).click()
    expect(page.get_by_role("cell", name="how many are trained")).to_be_visible()
    page.get_by_role("link", name="Source").click()
    expect(page.locator("pre")).to_contain_text("async def sweep")
    page.go_back()
    page.get_by_role("link", name="Launch", exact=True).first.click()
    # What is wrong is said where it is, and all that was given stays.
    page.get_by_label("candidates").fill("four")
    page.get_by_label("Name", exact=True).fill("Capital")
    page.get_by_label("Labels").fill("team=vision\nnonsense")
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("candidates")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Give a whole number, such as 42.")).to_be_visible()
    expect(page.get_by_text("write KEY=VALUE")).to_be_visible()
    page.get_by_label("candidates").fill("2")
    page.get_by_label("Labels").fill("team=vision")
    rates = page.get_by_role("group", name="rates")
    rates.get_by_role("button", name="Add an item").click()
    rates.get_by_label("Item").last.fill("0.25")
    page.get_by_label("title").fill("<b>bold</b>")
    page.get_by_role("button", name="Launch").click()
    # The platform itself refuses the name: that too is said at the field.
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name", exact=True).fill("by-form")
    page.get_by_label("Compute again").check()
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(f"**/runs/{SCOPE}/by-form")
    assert platform.flyte("get", "logs", "by-form", "--follow").stdout == "sweeping <b>bold</b>\n"
    found = outcome(platform, "by-form")
    assert found["labels"] == {"team": "vision"}
    assert inputs(platform, "by-form") == {"candidates": 2, "rates": [0.5, 0.25], "title": "<b>bold</b>", "folder": ""}


def test_a_folder_is_uploaded_with_the_form(page: Page, platform: PlatformUnderTest, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    (pictures / "deep").mkdir(parents=True)
    (pictures / "1.png").write_bytes(b"one")
    (pictures / "deep" / "Übersicht 2.png").write_bytes(b"second")
    page.goto(f"/launch?task={SCOPE}/sweeping.measure")
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_text("Choose a folder or files")).to_be_visible()
    page.get_by_label("A folder").set_input_files(pictures)
    expect(page.get_by_text("2 files, 1 KiB")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("measured")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(f"**/runs/{SCOPE}/measured")
    expect(page.locator("#head")).to_contain_text("Succeeded")
    found = json.loads(platform.flyte("get", "io", "measured", "--outputs-only").stdout)["outputs"]
    assert list(found.values()) == [{"1.png": 3, "deep/Übersicht 2.png": 6}]


@pytest.mark.timeout(300)
def test_the_digits_demo_is_launched_from_the_form_and_fills_its_page(
    page: Page, platform: PlatformUnderTest, repository: Path
) -> None:
    deployed = platform.flyte("deploy", str(repository / "examples" / "digits_sweep.py"))
    assert deployed.returncode == 0, deployed.stderr
    page.goto(f"/launch?task={SCOPE}/digits.sweep")
    expect(page.get_by_label("candidates")).to_have_value("48")
    page.get_by_label("candidates").fill("2")
    page.get_by_label("Name", exact=True).fill("digits")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(f"**/runs/{SCOPE}/digits")
    page.evaluate("window.untouched = true")
    # Importing what it trains with takes a busy machine its time.
    expect(page.locator("#head")).to_contain_text("Succeeded", timeout=120_000)
    page.get_by_role("button", name="Group training").click()
    expect(page.get_by_role("link", name="train")).to_have_count(2)
    assert page.evaluate("window.untouched")
    page.get_by_role("link", name="sweep", exact=True).click()
    expect(page.get_by_text("on pictures it never saw")).to_be_visible()


def test_the_main_pages_are_light_and_quick_and_show_no_serious_barrier(page: Page, judge: Judge) -> None:
    for path in MAIN_PAGES:
        page.goto(path)
        first_content_ms, weight_bytes = page.evaluate(MEASURE)
        assert first_content_ms < 3000, path  # about 100 on a machine that does nothing else
        assert weight_bytes < 150_000, path
        assert judge(page) == [], path


def test_pages_fit_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for path in MAIN_PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_a_stream_that_is_refused_is_opened_later_or_says_why_it_cannot_be(page: Page) -> None:
    streams = "**/queues/events"
    page.route(streams, lambda route: route.fulfill(status=503))
    page.goto("/queues")
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    page.unroute(streams)
    expect(page.locator("#connection")).to_contain_text("Connected again")
    page.route(streams, lambda route: route.fulfill(status=401))
    page.goto("/queues")
    expect(page.locator("#connection")).to_contain_text("Load the page again to sign in")
    page.unroute(streams)


def show(page: Page, *, visible: bool) -> None:
    """Bring a page to the front or to the background, as far as it can know; headless browsers show all of theirs."""
    hidden = json.dumps(not visible)
    page.evaluate(f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_queue_is_drained_and_takes_runs_again(page: Page, platform: PlatformUnderTest) -> None:
    page.goto("/queues")
    other = page.context.new_page()
    other.goto("/queues")
    other.get_by_role("button", name="Drain default").focus()
    show(other, visible=False)
    page.get_by_role("button", name="Drain default").click()
    expect(page.get_by_text("Drained")).to_be_visible()
    # A page in the background lets go of its stream. Whoever looks at it again sees all, and is where they were.
    expect(other.get_by_text("Active")).to_be_visible()
    show(other, visible=True)
    expect(other.get_by_role("button", name="Resume default")).to_be_focused()
    other.close()
    page.goto(FORM)
    page.get_by_role("button", name="Launch").click()
    expect(page.get_by_role("alert")).to_contain_text("drain")
    page.goto("/queues")
    page.get_by_role("button", name="Resume default").click()
    expect(page.get_by_text("Active")).to_be_visible()
