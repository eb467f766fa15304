"""Whatever a task writes is text on a page, and nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from tests.console.served.conftest import Served

#: What no text of a stranger may put on a page: control characters but tab and line feed, and turned directions.
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]")
ELSEWHERE = re.compile(r"^(https?:)?//", re.IGNORECASE)
OWN_TAGS = {"img", "script", "link", "iframe"}


class Strict(HTMLParser):
    """Finds what the policy would refuse or what a stranger put in."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and not (given.get("src") or "").startswith("/static/")):
            self.wrong.append(tag)
        for name in ("src", "href", "action"):
            if ELSEWHERE.match(given.get(name) or ""):
                self.wrong.append(f"{tag} {name}={given[name]}")


def pages(served: Served) -> list[str]:
    action = re.search(rf"{served.done}/actions/(?!a0)\w+", served.owner.get(served.done).text)
    assert action is not None
    return [
        "/runs",
        "/runs?task=%3Cscript%3E&label=a%3D%22%3E%3Cscript%3E",
        served.done,
        f"{served.done}/tree?parent=a0",
        f"{served.done}/actions/a0",
        action[0],
        served.failed,
        f"{served.failed}/actions/a0",
        f"{served.done}/actions/%3Cscript%3E",
        "/tasks",
        *("/queues", "/triggers", "/pools", "/secrets", "/clusters"),
        *(f"/launch?rerun={run.removeprefix('/runs/')}&recover=1" for run in (served.done, served.failed)),
        "/launch?task=%3Cscript%3E/a/b",
    ]


def test_no_page_has_anything_that_acts(served: Served) -> None:
    for path in pages(served):
        page = served.owner.get(path)
        assert page.status in (200, 404), path
        found = Strict()
        found.feed(page.text)
        assert found.wrong == [], path
        assert ACTING.search(page.text) is None, path
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"


def test_pieces_of_live_pages_are_as_strict(served: Served) -> None:
    with served.owner.events(f"{served.failed}/events?from=1") as events:
        _, update, _ = next(iter(events))
    for html in (update["head"], *(row["html"] for row in update["rows"])):
        found = Strict()
        found.feed(html)
        assert found.wrong == []
        assert ACTING.search(html) is None
    assert "&lt;script&gt;" in update["head"]


def test_output_is_shown_as_coloured_text_and_kept_as_it_was(served: Served) -> None:
    with served.owner.events(f"{served.done}/actions/a0/logs") as events:
        messages = list(events)
    lines = [line for kind, data, _ in messages if kind == "lines" for line in data]
    first = "".join(text for text, _ in lines[0])
    assert "<script>alert(2)</script>" in first
    assert ACTING.search(first) is None
    assert "title" not in first
    assert ["red", "ansi-red"] in lines[0]
    assert ["bold green", "ansi-green ansi-bold"] in lines[1]
    assert messages[-1][0] == "ended"
    last_seen = next(identity for kind, _, identity in messages if kind == "lines")
    with served.owner.events(f"{served.done}/actions/a0/logs", last=last_seen) as events:
        again = [line for kind, data, _ in events if kind == "lines" for line in data]
    assert again == lines[int(last_seen) :]
    raw = served.owner.get(f"{served.done}/actions/a0/logs/download")
    assert raw.headers["content-disposition"].startswith("attachment")
    assert "\x1b[31mred" in raw.text


def test_a_report_is_a_page_of_no_origin_that_runs_and_loads_nothing(served: Served) -> None:
    path = f"{served.done}/actions/a0/report"
    report = served.owner.get(path)
    assert report.status == 200
    assert "<p>written</p>" in report.text
    policy = report.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["sandbox", "default-src 'none'"]
    assert not [rule for rule in policy if rule.startswith(("script-src", "connect-src", "frame-src"))]
    assert {"form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'"} <= set(policy)
    assert served.owner.get(path, if_none_match=report.headers["etag"]).status == 304
    page = served.owner.get(f"{served.done}/actions/a0").text
    assert re.search(r'<iframe class="report" sandbox title=', page)
    saved = served.owner.get(f"{path}/download")
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert served.owner.get(f"{served.failed}/actions/a0/report").status == 404


@pytest.mark.parametrize("name", ["no", "..%2f..%2f", "%00", "a" * 5000, "%F0%9F%92%A9", "-"])
def test_what_is_not_there_is_one_and_the_same_answer(served: Served, name: str) -> None:
    run = f"/runs/flytesnacks/development/{name}"
    for path in (run, f"{run}/actions/a0", f"{run}/events", f"{served.done}/actions/{name}"):
        answer = served.owner.get(path)
        assert answer.status in (400, 404), path
        assert "Traceback" not in answer.text
    assert served.owner.get(f"{run[: -len(name)]}nobody").status == 404


@pytest.mark.parametrize(
    "query", ["page=x", "since=yesterday", "label=nothing", "phase=odd", "until=99999-01-01", "page=%00"]
)
def test_a_filter_that_cannot_be_read_says_so(served: Served, query: str) -> None:
    assert served.owner.get(f"/runs?{query}").status == 400
