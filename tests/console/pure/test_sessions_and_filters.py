"""Sessions that only this platform can make, and filters of the list of runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from flyteapi.scheduler.v1.scheduler_service_pb2 import CountActionsResponse
from flyteplane.console.login_link import LoginLink
from flyteplane.console.run_filter import run_filter
from flyteplane.console.sessions import SESSION_S, Sessions
from flyteplane.console.views.actions import families
from flyteplane.console.views.paths import path_of_cached
from flyteplane.console.views.times import duration_text
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import InvalidArgument

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_session_holds_for_its_time_and_under_its_key() -> None:
    clock = ManualClock(1_800_000_000.0)
    sessions = Sessions(b"k" * 32, clock=clock)
    cookie = sessions.begin(subject="key:laptop", credential="secret-key")
    assert "secret-key" not in cookie
    found = sessions.open(cookie)
    assert found is not None
    assert (found.subject, found.credential) == ("key:laptop", "secret-key")
    assert Sessions(b"o" * 32, clock=clock).open(cookie) is None
    assert sessions.open("é") is None
    clock.advance(SESSION_S + 1)
    assert sessions.open(cookie) is None


def test_a_link_is_used_up(tmp_path: Path) -> None:
    link = LoginLink(tmp_path / "console.json", url="http://127.0.0.1:1")
    token = (tmp_path / "console.json").read_text().rpartition("token=")[2].partition('"')[0]
    assert [link.use(tried) for tried in ("", "x", "é", token, token)] == [False, False, False, True, False]


def test_a_filter_becomes_a_request_and_an_address() -> None:
    query = QueryParams("task=a.b&phase=failed&phase=running&label=team%3Dx, tier%3D&queue=q&by=key:k&since=1d&page=t")
    where = run_filter(query, project="p", domain="d")
    request = where.request(now=NOW, token="t")
    assert (request.project, request.domain, request.task_name, request.queue) == ("p", "d", "a.b", "q")
    assert list(request.phases) == [6, 4]
    assert dict(request.labels) == {"team": "x", "tier": ""}
    assert request.created_after.ToDatetime(tzinfo=UTC) == datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert run_filter(QueryParams(where.query), project="p", domain="d") == where
    assert where.narrows
    assert not run_filter(QueryParams("project=x&phase="), project="p", domain="d").narrows


@pytest.mark.parametrize("wrong", ["since=x", "until=9999999", "label=x", "phase=x", "since=99999-01-01"])
def test_a_filter_that_cannot_be_read_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidArgument):
        run_filter(QueryParams(wrong), project="", domain="").request(now=NOW)


def test_children_are_counted_by_group_and_together() -> None:
    counted = CountActionsResponse()
    for group, phase, count in (("", 5, 2), ("g", 5, 3), ("g", 6, 1)):
        counted.counts.add(parent="a0", group=group, phase=phase, count=count)
    found = families(counted.counts)
    assert [(count.phase.code, count.number) for count in found.children("a0")] == [("succeeded", 5), ("failed", 1)]
    assert [(group.label, group.total) for group in found.groups("a0")] == [("g", 4)]
    assert found.children("other") == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1, "< 1 ms"),
        (0.0123, "12 ms"),
        (59.94, "59.9 s"),
        (61, "1 min 1 s"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_producer_is_a_path_of_four_names() -> None:
    assert path_of_cached("p/d/r/a?b") == "/runs/p/d/r/actions/a%3Fb"
    assert path_of_cached("p/d/r") == path_of_cached("a/b/c/d/e") == path_of_cached("///") == ""
