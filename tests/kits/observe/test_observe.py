"""Log lines are JSON with the facts bound around them; metrics count in a registry of their own."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.log_lines import logged

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.observe import Distribution, DistributionReading, Metrics, Reading, bound, configure_logs, get_logger

log = get_logger("tests.observe")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take our handler off the root logger again."""
    with logged():
        yield


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure_logs(stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_level_time_logger_event_and_facts(stream: io.StringIO) -> None:
    log.info("action_assigned", action="a0", attempt=1)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "tests.observe",
        "event": "action_assigned",
        "action": "a0",
        "attempt": 1,
    }


async def test_bound_facts_stay_with_their_task(stream: io.StringIO) -> None:
    async def work(run: str) -> None:
        with bound(run=run):
            await asyncio.sleep(0)
            with bound(action="a0"):
                log.info("inside")
            log.info("outside")

    await asyncio.gather(work("r1"), work("r2"))
    log.info("after")
    assert {(line["event"], line.get("run"), line.get("action")) for line in lines(stream)} == {
        ("inside", "r1", "a0"),
        ("inside", "r2", "a0"),
        ("outside", "r1", None),
        ("outside", "r2", None),
        ("after", None, None),
    }


def test_levels_below_the_threshold_are_not_written() -> None:
    stream = io.StringIO()
    configure_logs(level="warning", stream=stream)
    log.debug("no")
    log.info("no")
    log.warning("yes")
    log.error("yes")
    assert [line["level"] for line in lines(stream)] == ["warning", "error"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        configure_logs(level="loud")


def test_errors_bring_their_traceback(stream: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        log.error("failed", exc_info=error)
    assert "ValueError: broken" in lines(stream)[0]["exception"]


def test_the_standard_library_writes_in_the_same_form(stream: io.StringIO) -> None:
    with bound(run="r1"):
        logging.getLogger("flyteplane.rpc").warning("call %s failed", "x")
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["event"], line["run"]) == (
        "warning",
        "flyteplane.rpc",
        "call x failed",
        "r1",
    )


class FullDisk(io.StringIO):
    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_stream_that_is_closed_or_full_stops_nobody() -> None:
    closed = io.StringIO()
    configure_logs(stream=closed)
    closed.close()
    log.error("unheard")
    configure_logs(stream=FullDisk())
    log.error("unheard")
    logging.getLogger("library").error("unheard")


def test_people_get_lines_that_are_no_json() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, for_people=True)
    log.info("ready", port=1234)
    assert "ready" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_facts_that_json_does_not_know_become_text(stream: io.StringIO) -> None:
    log.info("x", path=ValueError("odd"))
    assert lines(stream)[0]["path"] == "odd"


def test_metrics_count_apart() -> None:
    first, second, waits = Metrics(), Metrics(), Distribution()
    waits.observe(0.003)
    first.read_from(lambda: [DistributionReading("queue_wait_seconds", "Wait.", waits)])
    assert 'flyteplane_queue_wait_seconds_bucket{le="0.005"} 1.0' in first.text().decode()
    assert second.text() == b""


def test_what_is_counted_anyway_is_read_when_somebody_asks() -> None:
    metrics, waiting = Metrics(), {"a": 1, "b": 2}

    def read() -> Iterator[Reading]:
        for pool, count in waiting.items():
            yield Reading("waiting", "What waits.", count, {"pool": pool})
        yield Reading("placed", "What was placed.", 7, grows=True)

    stop = metrics.read_from(read)
    metrics.text()
    waiting["a"] = 5
    text = metrics.text().decode()
    assert 'flyteplane_waiting{pool="a"} 5.0' in text
    assert 'flyteplane_waiting{pool="b"} 2.0' in text
    assert "# TYPE flyteplane_placed_total counter\nflyteplane_placed_total 7.0" in text
    stop()
    assert "flyteplane_waiting" not in metrics.text().decode()


def test_importing_loads_neither_structlog_nor_prometheus() -> None:
    program = (
        "import sys, flyteplane.observe as o; o.Metrics(); o.get_logger('x').debug('unseen');"
        "print([name for name in ('structlog', 'prometheus_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_traceback_for_people_shows_no_local_variables() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, for_people=True)
    password = "hunter" + "2"
    try:
        raise ValueError(f"{len(password)} characters")
    except ValueError as error:
        log.error("failed", exc_info=error)
    assert "7 characters" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
