"""Lists and trees: windows of them, and what happens while somebody looks."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.console.served.conftest import CHILDREN, Served

WINDOW = 100


def keys(html: str) -> list[str]:
    return re.findall(r'<li id="(action-\w+)"', html)


def test_a_tree_is_sent_in_windows_with_its_groups_folded(served: Served) -> None:
    page = served.owner.get(served.done).text
    # The root, the group as one row, and the one child that is in none.
    assert len(keys(page)) == 2
    assert f"{CHILDREN} actions" in page
    group = re.search(r'data-parent="a0" data-group="([^"]+)"', page)
    assert group is not None
    address = (
        f"{served.done}/tree?parent=a0&group=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%3Cscript%3Ealert(2)%3C/script%3E"
    )
    first = served.owner.get(address).text
    token = re.search(r'data-token="([^"]+)"', first)
    assert token is not None
    second = served.owner.get(f"{address}&token={token[1]}").text
    assert (len(keys(first)), len(keys(second))) == (WINDOW, CHILDREN - WINDOW)
    assert len({*keys(first), *keys(second)}) == CHILDREN
    assert "data-token" not in second
    assert f"Succeeded <b>{CHILDREN + 2}</b>" in page


def test_a_run_is_watched_resumed_and_aborted(served: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    path = served.run("gated", "--gate", str(gate), wait=False)
    with served.owner.events(f"{path}/events?from=1") as events:
        child, last = "", ""
        for kind, data, identity in events:
            assert kind == "update"
            last = identity
            running = [row["key"] for row in data["rows"] if "Running" in row["html"]]
            child = next((key for key in running if key != "action-a0"), child)
            if child:
                break
    page = served.owner.get(path).text
    assert child in keys(page)
    assert f"{path}/abort" in page
    assert served.owner.get(f"{path}/actions/{child.removeprefix('action-')}").status == 200
    aborted = served.owner.change(f"{path}/abort", reason="<b>enough</b>")
    assert (aborted.status, aborted.headers["location"]) == (303, path)
    with served.owner.events(f"{path}/events?from=1", last=last) as events:
        messages = list(events)
    assert messages[-1][0] == "ended"
    updates = [data for kind, data, _ in messages if kind == "update"]
    rows = {row["key"]: row["html"] for data in updates for row in data["rows"]}
    assert "Aborted" in rows["action-a0"]
    assert updates[-1]["phase"] == "aborted"
    assert "&lt;b&gt;enough" in served.owner.get(f"{path}/actions/a0").text
    # From its end on there is nothing to be told.
    with served.owner.events(f"{path}/events", last=messages[-2][2]) as events:
        assert [row for kind, data, _ in events if kind == "update" for row in data["rows"]] == []


def test_a_report_is_told_when_it_is_written_and_not_looked_for(served: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    path = f"{served.run('reporting', '--gate', str(gate), wait=False)}/actions/a0"
    with served.owner.events(f"{path}/events?from=1") as events:
        kinds = (kind for kind, _, _ in events)
        for words in ("first", "second"):
            while f"<p>{words}</p>" not in served.owner.get(f"{path}/report").text:
                while next(kinds) != "report":
                    pass
            gate.open("w").close()
        assert "ended" in kinds


def test_the_list_of_runs_changes_while_it_is_looked_at(served: Served) -> None:
    with served.owner.events("/runs/events?task=hostile.child") as events:
        messages = iter(events)
        path = served.run("child", "--n", "1", wait=False)
        key = f"run-{path.rpartition('/')[2]}"
        for _, data, _ in messages:
            if key in data["order"] and "Succeeded" in data["rows"].get(key, ""):
                break
    assert all(other.startswith("run-") for other in data["order"])
    assert 'href="' + served.done not in "".join(data["rows"].values())


def test_queues_pools_and_clusters_change_while_they_are_looked_at(served: Served, tmp_path: Path) -> None:
    for address, lists in (("/pools/events", {"pools"}), ("/clusters/events", {"clusters", "classes"})):
        with served.owner.events(address) as events:
            first = {data["list"] for _, (_, data, _) in zip(lists, events, strict=False)}
        assert first == lists
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with served.owner.events("/queues/events") as events:
        messages = iter(events)

        def wait_for(running: int) -> None:
            for _, data, _ in messages:
                figures = re.findall(r'class="figure">(\d+)', data["rows"].get("queue-default", ""))
                if figures and int(figures[0]) == running:
                    return

        wait_for(0)
        path = served.run("gated", "--gate", str(gate), wait=False)
        wait_for(2)
        assert served.owner.change(f"{path}/abort").status == 303
        wait_for(0)


def test_actions_of_a_phase_are_found_wherever_they_are_in_the_tree(served: Served) -> None:
    page = served.owner.get(f"{served.done}?phase=succeeded").text
    assert len(keys(page)) == WINDOW
    token = re.search(r'data-phase="succeeded" data-token="([^"]+)"', page)
    assert token is not None
    rest = served.owner.get(f"{served.done}/tree?phase=succeeded&token={token[1]}").text
    assert len({*keys(page), *keys(rest)}) == CHILDREN + 2
    assert f'href="{served.done}?phase=succeeded#tree-title" aria-current="true"' in page
    assert "None at the moment." in served.owner.get(f"{served.done}?phase=failed").text
    assert "ValueError" in served.owner.get(f"{served.failed}?phase=failed").text


def test_runs_are_filtered(served: Served) -> None:
    done, failed = (path.rpartition("/")[2] for path in (served.done, served.failed))
    for query, shown, hidden in (
        ("phase=failed", failed, done),
        ("task=hostile.parent", done, failed),
        ("queue=default&since=1d", done, "nothing"),
        ("by=nobody", "No run fits", done),
        ("queue=other", "No run fits", done),
        ("until=2020-01-01", "No run fits", done),
        ("label=team%3Dnone", "No run fits", done),
    ):
        page = served.owner.get(f"/runs?{query}").text
        assert shown in page, query
        assert hidden not in page, query


def test_two_clicks_on_rerun_are_one_run(served: Served) -> None:
    page = served.owner.get(served.failed).text
    found = re.search(r'name="request_id" value="(\w+)"', page)
    assert found is not None
    first, second = (served.owner.change(f"{served.failed}/rerun", request_id=found[1]) for _ in range(2))
    assert first.status == 303
    assert first.headers["location"] == second.headers["location"] != served.failed
    again = served.owner.get(first.headers["location"]).text
    assert "Repeats" in again
    assert f'href="{served.failed}"' in again
    assert f'href="{first.headers["location"]}"' in served.owner.get(served.failed).text


def test_a_page_weighs_little(served: Served) -> None:
    for path in ("/runs", served.done, f"{served.done}/actions/a0"):
        page = served.owner.get(path).text
        files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page)) | {
            f"{address.rpartition('/')[0]}/bars.js" for address in re.findall(r'src="(/static/[^"]+/run\.js)"', page)
        }
        assert files
        sent = [served.owner.get(address) for address in files]
        assert all("immutable" in file.headers["cache-control"] for file in sent)
        assert len(page) + sum(len(file.text) for file in sent) < 150_000
