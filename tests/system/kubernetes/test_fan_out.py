"""A hundred pods through a narrow queue: each runs once, never more than the queue lets, and nothing stays behind."""

from __future__ import annotations

import json
import time
from itertools import accumulate
from pathlib import Path

import pytest
from tests.support.board import Board
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.platform import PlatformUnderTest
from tests.support.run_log import whole_log
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import squares

import flyte

pytestmark = pytest.mark.timeout(400)

CHILDREN = 100
AT_ONCE = 12
QUEUES = [{"name": "narrow", "action_concurrency": AT_ONCE}]


def test_a_hundred_pods_each_run_once_and_leave_nothing(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster, file={"queues": QUEUES}) as platform:
        began = time.monotonic()
        run = flyte.run(squares.sum_of_squares, CHILDREN, board.address, 0.0, "narrow")
        assert run.outputs()[0] == sum(number * number for number in range(CHILDREN))
        print(f"{CHILDREN} pods: {time.monotonic() - began:.1f} s")
        log = whole_log(run)
        log.assert_each_action_ended_once()
        assert len(log.succeeded()) == CHILDREN
        board.assert_ran_once(log.succeeded())
        assert len({entry.said["pod"] for entry in board.entries()}) == CHILDREN
        assert most_at_once(board) <= AT_ONCE
        print(f"last pod gone after {cluster.await_no_pods():.1f} s more")
        assert_nothing_left(platform, cluster)
        platform.stop()


def most_at_once(board: Board) -> int:
    """How many children were between their first and their last word at the same time."""
    return max(accumulate(-1 if entry.said.get("word") == "done" else 1 for entry in board.entries()))


def assert_nothing_left(platform: PlatformUnderTest, cluster: KubernetesUnderTest) -> None:
    """No slot of the queue is taken, and the namespace has only what Kubernetes itself puts into every one."""
    shown = json.loads(platform.flyte("get", "queue", "narrow", "--json").stdout)
    assert (shown["running"], shown["waiting"]) == (0, 0)
    maps = cluster.core.list_namespaced_config_map(cluster.namespace).items
    assert {each.metadata.name for each in maps} <= {"kube-root-ca.crt"}
    kept = cluster.core.list_namespaced_secret(cluster.namespace).items
    assert {each.type for each in kept} <= {"kubernetes.io/service-account-token"}
