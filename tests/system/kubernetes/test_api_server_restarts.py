"""The API server is killed and comes back in the middle of a fan-out: work is delayed, and nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.board import Board
from tests.support.control_plane import LocalControlPlane
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.run_log import follow_until_done, whole_log
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import squares

import flyte

pytestmark = pytest.mark.timeout(300)

CHILDREN = 24
QUEUES = [{"name": "narrow", "action_concurrency": 8}]


def test_a_fan_out_outlasts_the_api_server(cluster: KubernetesUnderTest, board: Board, tmp_path: Path) -> None:
    control_plane = LocalControlPlane.find(cluster.kubeconfig)
    if control_plane is None:
        pytest.skip("the API server is not a process of this machine, so it cannot be killed")
    with platform_in(tmp_path, cluster, file={"queues": QUEUES}) as platform:
        run = flyte.run(squares.sum_of_squares, CHILDREN, board.address, 2.0, "narrow")
        follow_until_done(run, 6)
        with control_plane.down():
            # Pods that run go on: the platform hears of their ends while Kubernetes is away.
            during = follow_until_done(run, 9)
        assert run.outputs()[0] == sum(number * number for number in range(CHILDREN))
        log = whole_log(run)
        log.assert_each_action_ended_once()
        log.assert_continues(during)
        board.assert_ran_once(log.succeeded())
        assert not [event for event in log.events if event.HasField("error")]
        assert {event.attempt for event in log.events} <= {0, 1}
        cluster.await_no_pods()
        platform.stop()
