"""A hundred pods, and an abort of fifty."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.support.board import Board
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.platform import PlatformUnderTest
from tests.support.run_log import whole_log
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import squares

import flyte

pytestmark = pytest.mark.timeout(400)

AT_ONCE = 12
QUEUES = [{"name": "narrow", "action_concurrency": AT_ONCE}, {"name": "wide"}]


@pytest.fixture(scope="module")
def platform(cluster: KubernetesUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform with a narrow queue and a wide one."""
    with platform_in(tmp_path_factory.mktemp("fan-out"), cluster, file={"queues": QUEUES}) as platform:
        yield platform


def test_a_hundred_pods_each_run_once_and_leave_nothing(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest, board: Board
) -> None:
    began = time.monotonic()
    run = flyte.run(squares.sum_of_squares, 100, board.address, 0.0, "narrow")
    assert run.outputs()[0] == sum(number * number for number in range(100))
    print(f"100 pods: {time.monotonic() - began:.1f} s")
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert len(log.succeeded()) == 100
    board.assert_ran_once(log.succeeded())
    assert len({entry.said["pod"] for entry in board.entries()}) == 100
    print(f"last pod gone after {cluster.await_no_pods():.1f} s")
