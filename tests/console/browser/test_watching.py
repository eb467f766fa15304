"""Looking at runs: the tree fills by itself, runs are aborted, run again and recovered, a lost connection resumes."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect
from tests.console.browser.conftest import Judge
from tests.console.browser.test_launching import FORM, SCOPE, inputs, outcome
from tests.support.cable import Cable
from tests.support.platform import PlatformUnderTest


def launch(page: Page, name: str, folder: Path, *, candidates: int = 4) -> None:
    """Start a run from the form; the page then shows it."""
    page.goto(FORM)
    page.get_by_label("candidates").fill(str(candidates))
    page.get_by_label("folder").fill(str(folder))
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(f"**/runs/{SCOPE}/{name}")


def close_gates(folder: Path, *layers: int) -> None:
    """Let candidates wait until their gate is opened."""
    for layer in layers:
        os.mkfifo(folder / f"gate-{layer}")


def open_gates(folder: Path, *layers: int) -> None:
    """Let candidates that wait go on."""
    for layer in layers:
        (folder / f"gate-{layer}").open("w").close()


def trained(folder: Path) -> list[str]:
    """The candidates that ran, in their order."""
    return (folder / "trained").read_text().split()


def test_the_tree_fills_by_itself_and_a_lost_connection_resumes(
    page: Page, cable: Cable, tmp_path: Path, judge: Judge
) -> None:
    close_gates(tmp_path, 1, 2, 3, 4)
    launch(page, "watched", tmp_path)
    page.evaluate("window.untouched = true")
    counts = page.get_by_role("list", name="Actions by phase")
    expect(counts).to_contain_text("Running 5")
    page.get_by_role("button", name="Group training").click()
    expect(page.get_by_role("link", name="train")).to_have_count(4)
    assert judge(page) == []
    open_gates(tmp_path, 1, 2)
    expect(counts).to_contain_text("Succeeded 2")
    cable.pull()
    try:
        open_gates(tmp_path, 3, 4)
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
    finally:
        cable.plug()
    expect(page.locator("#connection")).to_contain_text("Nothing was missed")
    expect(page.locator("#head")).to_contain_text("Succeeded")
    expect(counts).to_contain_text("Succeeded 5")
    assert page.evaluate("window.untouched")
    counts.get_by_role("link", name="Succeeded 5").click()
    expect(page.get_by_role("heading", name="Actions: Succeeded")).to_be_visible()
    expect(page.get_by_role("link", name="train")).to_have_count(4)
    assert judge(page) == []


def test_an_action_shows_its_log_and_a_report_that_cannot_reach_around_it(
    signed_in: tuple[BrowserContext, str], tmp_path: Path, judge: Judge
) -> None:
    context, url = signed_in
    page = context.new_page()
    refused: list[str] = []
    asked: list[str] = []
    page.on("requestfailed", lambda request: refused.append(request.url) if request.failure == "csp" else None)
    page.on("request", lambda request: asked.append(request.url))
    launch(page, "reported", tmp_path, candidates=1)
    page.get_by_role("link", name="sweep", exact=True).click()
    log = page.get_by_role("log")
    expect(log).to_contain_text("sweeping digits")
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", name="Best of digits: 0.5")).to_be_visible()
    assert judge(page) == []
    title, address = page.title(), page.url
    report.get_by_role("button", name="Go on").click()
    page.get_by_label("Search", exact=True).fill("sweeping")
    expect(log.locator(".found")).to_have_count(1)
    assert (page.title(), page.url) == (title, address)
    assert {one for one in asked if not one.startswith((url, "data:"))} <= set(refused)
    page.go_back()
    page.get_by_role("button", name="Group training").click()
    page.get_by_role("link", name="train").click()
    expect(page.get_by_role("log")).to_contain_text("training <b>1</b> layers")
    page.close()


def test_a_run_is_aborted_and_run_again_with_a_changed_input(
    page: Page, platform: PlatformUnderTest, tmp_path: Path
) -> None:
    close_gates(tmp_path, 1)
    launch(page, "left", tmp_path, candidates=1)
    expect(page.get_by_role("list", name="Actions by phase")).to_contain_text("Running 2")
    page.get_by_role("button", name="Abort").click()
    expect(page.locator("#head")).to_contain_text("Aborted")
    assert outcome(platform, "left")["phase"] == "ABORTED"
    (tmp_path / "gate-1").unlink()
    page.get_by_role("link", name="Rerun with changes").click()
    expect(page.get_by_label("candidates")).to_have_value("1")
    page.get_by_label("title").fill("letters")
    page.get_by_label("Name", exact=True).fill("left-again")
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(f"**/runs/{SCOPE}/left-again")
    expect(page.locator("#head")).to_contain_text("Succeeded")
    changed = {"candidates": 1, "rates": [0.5], "title": "letters", "folder": str(tmp_path)}
    assert inputs(platform, "left-again") == changed
    page.get_by_text("About this run").click()
    page.get_by_role("link", name="left", exact=True).click()
    page.get_by_text("About this run").click()
    expect(page.get_by_role("link", name="left-again")).to_be_visible()


def test_a_failed_run_is_recovered_with_what_succeeded(page: Page, tmp_path: Path) -> None:
    close_gates(tmp_path, 3)
    (tmp_path / "broken-3").touch()
    launch(page, "failing", tmp_path)
    counts = page.get_by_role("list", name="Actions by phase")
    expect(counts).to_contain_text("Succeeded 3")
    open_gates(tmp_path, 3)
    expect(page.locator("#head")).to_contain_text("Failed")
    # What the program wrote is shown as it is, not as markup.
    expect(page.get_by_text("no <i>gradient</i>").first).to_be_visible()
    (tmp_path / "broken-3").unlink()
    (tmp_path / "gate-3").unlink()
    assert sorted(trained(tmp_path)) == ["1", "2", "3", "4"]
    page.get_by_role("link", name="Recover").click()
    kept = page.get_by_role("checkbox", name="Run train again")
    expect(kept).to_have_count(3)
    kept.first.check()
    page.get_by_label("Name", exact=True).fill("recovered")
    page.get_by_role("button", name="Recover").click()
    page.wait_for_url(f"**/runs/{SCOPE}/recovered")
    expect(page.locator("#head")).to_contain_text("Succeeded")
    again = trained(tmp_path)[4:]
    assert len(again) == 2, "the one that failed and the one that was forced, and nothing else"
    assert "3" in again
