"""The console in front of a large platform: 100,000 runs in the list, and a run of 100,000 actions.

Both are put into the databases by multiplying the rows of one real run. What is measured: the memory that the console
takes once somebody looks, how long pages take, the worst of them by filter, what a page weighs with its files, and what
an open page costs the services while a run goes on.
"""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks import programs
from benchmarks.measured_platform import MeasuredPlatform

MANY = 100_000
LIVE_CHILDREN = 10_000
_FILTERS = (
    "",
    "phase=failed",
    "phase=aborted",
    "label=team%3Dfew",
    "by=somebody",
    "queue=other",
    "task=bench.other",
    "since=2020-01-01",
    "until=2020-01-01",
)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page that was fetched."""

    text: str
    took_ms: float


class _Visitor:
    """Somebody with a session."""

    def __init__(self, link: str) -> None:
        self._host = urlsplit(link).netloc
        self._cookie = ""
        began = time.perf_counter()
        response = self._ask(link.partition(self._host)[2])
        response.read()
        self.signed_in_ms = (time.perf_counter() - began) * 1000
        self._cookie = (response.getheader("set-cookie") or "").partition(";")[0]

    def get(self, path: str) -> _Page:
        """Fetch a page."""
        began = time.perf_counter()
        text = self._ask(path).read().decode()
        return _Page(text, (time.perf_counter() - began) * 1000)

    def follow(self, path: str) -> int:
        """Read a stream until it says that it has ended; returns how many messages there were."""
        stream, messages = self._ask(path), 0
        while line := stream.readline():
            messages += line.startswith(b"event:")
            if line.startswith(b"event: ended"):
                break
        return messages

    def _ask(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, timeout=120)
        connection.request("GET", path, headers={"cookie": self._cookie, "accept": "text/html"})
        return connection.getresponse()


def console() -> dict[str, float]:
    """See the module."""
    with MeasuredPlatform(options=("--console-listen", "127.0.0.1:0")) as platform:
        platform.run(programs.fan_out, count=20)
        idle = platform.memory_mb()
        path = _multiply(platform)
        visitor = _Visitor(json.loads((platform.data / "console.json").read_text())["link"])
        lists = [visitor.get(f"/runs?{query}") for query in _FILTERS for _ in range(2)]
        first, again = visitor.get(path), visitor.get(path)
        window = visitor.get(f"{path}/tree?parent=a0&group=large")
        looked = platform.memory_mb()
        return {
            "first_content_ms": round(visitor.signed_in_ms, 1),
            "slowest_list_ms": round(max(page.took_ms for page in lists), 1),
            "large_run_first_ms": round(first.took_ms, 1),
            "large_run_again_ms": round(again.took_ms, 1),
            "window_ms": round(window.took_ms, 1),
            "page_kb": round(_weight(visitor, again.text) / 1000, 1),
            "memory_mb": round(sum(looked.values()) - sum(idle.values()), 1),
            **_live(platform, visitor),
        }


def _weight(visitor: _Visitor, page: str) -> int:
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
    return len(page.encode()) + sum(len(visitor.get(file).text.encode()) for file in files)


def _live(platform: MeasuredPlatform, visitor: _Visitor) -> dict[str, float]:
    """Cpu that an open page costs, as a share of one core while its run goes on."""
    alone = _cpu_of_fan_out(platform)
    counts: list[int] = []

    def watch() -> None:
        while not (
            found := re.search(r'href="(/runs/[^"]+)"[^<]*</a>.*?phase-(running|queued)', visitor.get("/runs").text)
        ):
            time.sleep(0.3)
        counts.append(visitor.follow(f"{found[1]}/events?from=1"))

    watching = threading.Thread(target=watch)
    watching.start()
    watched = _cpu_of_fan_out(platform)
    watching.join()
    return {"watched_cpu_share": round(watched - alone, 3), "updates": float(sum(counts))}


def _cpu_of_fan_out(platform: MeasuredPlatform) -> float:
    began, used = time.perf_counter(), platform.services_cpu_seconds()
    platform.run(programs.fan_out, count=LIVE_CHILDREN)
    return (platform.services_cpu_seconds() - used) / (time.perf_counter() - began)


def _multiply(platform: MeasuredPlatform) -> str:
    """Make 100,000 of one run, and 100,000 of one of its actions; returns the path of the run that has them."""
    with sqlite3.connect(platform.data / "admin.db") as admin:
        run = _row(admin, "select * from runs order by sequence desc limit 1")
        admin.executemany(_insert("runs", run), _runs(run))
        labels = (
            (run["sequence"] + number, "team", "few" if number % 10_000 == 1 else "most") for number in range(1, MANY)
        )
        admin.executemany("insert into run_labels values (?, ?, ?)", labels)
    with sqlite3.connect(platform.data / "scheduler.db") as scheduler:
        run_id = scheduler.execute("select id from runs where name = ?", (run["name"],)).fetchone()[0]
        child = _row(scheduler, f"select * from actions where run_id = {run_id} order by ordinal desc limit 1")
        scheduler.executemany(_insert("actions", child), _actions(child))
    return f"/runs/{run['project']}/{run['domain']}/{run['name']}"


def _runs(run: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number in range(1, MANY):
        other = {
            "sequence": run["sequence"] + number,
            "name": f"bench{number}",
            "request_id": None,
            "created_by": "somebody" if number % 5_000 == 0 else run["created_by"],
            "task_name": "bench.other" if number % 2 else run["task_name"],
            "phase": 6 if number % 1_000 == 0 else 5,
            "queue": "other" if number % 3 == 0 else "default",
        }
        yield tuple({**run, **other}.values())


def _actions(child: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number in range(1, MANY):
        other = {
            "ordinal": child["ordinal"] + number,
            "name": f"b{number:019d}",
            "group_label": "large" if number % 2 else "",
            "phase": 6 if number % 500 == 0 else 5,
        }
        yield tuple({**child, **other}.values())


def _row(database: sqlite3.Connection, query: str) -> dict[str, Any]:
    found = database.execute(query)
    return dict(zip((column[0] for column in found.description), found.fetchone(), strict=True))


def _insert(table: str, row: dict[str, Any]) -> str:
    return f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})"
