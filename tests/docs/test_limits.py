"""The figures of the page of limits are those of the code."""

from __future__ import annotations

import pytest
from tests.docs.pages import ROOT

from flyte.spec.limits import INLINE_ON_STREAM_BYTES
from flyteplane.admin.application import input_rules, setting_rules, tasks
from flyteplane.identity import audit_log, credentials
from flyteplane.observe import export
from flyteplane.rpc import internal, leader_channel, list_pages, message_size, server
from flyteplane.rpc.inprocess import lane
from flyteplane.scheduler.application import conditions, watch
from flyteplane.scheduler.clients import pool_orders, pool_stream
from flyteplane.scheduler.domain import failures
from flyteplane.secrets.domain import values

ROWS = [line for line in (ROOT / "docs" / "limits.md").read_text().splitlines() if line.startswith("| ")]


def size(count: int) -> str:
    """Bytes as the page writes them."""
    return f"{count >> 20} MiB" if count % (1 << 20) == 0 else f"{count >> 10} KiB"


@pytest.mark.parametrize(
    ("row", "figures"),
    [
        ("a message that a client sends", [size(server.EDGE_MESSAGE_BYTES)]),
        ("a page, or a message of a stream", [size(message_size.MOST_ANSWER_BYTES)]),
        ("another answer to a client", [size(server.EDGE_ANSWER_BYTES)]),
        ("metadata of a call", [size(credentials.MOST_CREDENTIAL_BYTES)]),
        ("between processes of the platform", [size(internal.INTERNAL_MESSAGE_BYTES)]),
        ("of a worker or a replica", [size(internal.WORKER_MESSAGE_BYTES)]),
        ("inline inputs of a run", [size(input_rules.MOST_INLINE_BYTES), size(INLINE_ON_STREAM_BYTES)]),
        ("a task specification", [size(setting_rules.MOST_TASK_BYTES), size(setting_rules.MOST_SETTINGS_BYTES)]),
        ("a secret's value", [size(values.MOST_VALUE_BYTES)]),
        ("the answer to a waiting condition", [f"{conditions.MOST_ANSWER_CHARACTERS >> 10} Ki"]),
        ("the text of an error", [size(failures.MOST_TEXT)]),
        ("runs, actions, tasks", [f"{list_pages.DEFAULT_PAGE_SIZE} | {list_pages.LARGEST_PAGE_SIZE:,}"]),
        ("tasks in one deployment", [f"{tasks.MOST_TASKS:,}"]),
        ("WatchRun |", [f"{watch.MOST_WAITING:,} events", f"{watch.MOST_IN_MESSAGE} in a message"]),
        ("calls within one process", [f"{lane.MOST_WAITING:,}"]),
        ("orders to the reuse pool", [f"{pool_orders.MOST_ORDERS} in", f"{pool_stream.MOST_DECLARED:,} declarations"]),
        ("spans that are not exported", [f"{export.MOST_WAITING:,}; {audit_log.MOST_WAITING:,}"]),
        ("calls under way on one connection", [f"{server.MOST_STREAMS:,}"]),
        ("a peer that says nothing", [f"{server.KEEPALIVE_S:g} s", f"{internal.INTERNAL_KEEPALIVE_S:g} s"]),
        ("a call without a deadline", [f"{leader_channel.PATIENCE_S:g} s"]),
    ],
)
def test_a_figure_of_the_page_is_that_of_the_code(row: str, figures: list[str]) -> None:
    (line,) = [line for line in ROWS if line.startswith(f"| {row}")]
    assert [figure for figure in figures if figure not in line] == []
