"""The scheduler is killed while pods run: they go on, the next leader adopts them, and nothing runs twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.support.board import Board
from tests.support.deployment import Deployment
from tests.support.etcd import EtcdServer, free_ports, require_etcd
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.run_log import follow_until_done, whole_log
from tests.system.kubernetes.conftest import connect, platform_in
from tests.system.kubernetes.programs import squares

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run

pytestmark = pytest.mark.timeout(300)

CHILDREN = 30
QUEUES = [{"name": "narrow", "action_concurrency": 10}]
#: Long enough that every moment of the fan-out has pods that run.
CHILD_S = 3.0


def assert_right(run: Run, board: Board, cluster: KubernetesUnderTest) -> None:
    """The result is right, each child ran in one pod and once, no attempt was lost, and no pod is left."""
    assert run.outputs()[0] == sum(number * number for number in range(CHILDREN))
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert len(log.succeeded()) == CHILDREN
    board.assert_ran_once(log.succeeded())
    assert {event.attempt for event in log.events} <= {0, 1}
    cluster.await_no_pods()


def test_another_scheduler_takes_over_the_pods_of_a_killed_one(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    require_etcd()
    ports = free_ports(2)
    section = cluster.section(worker_port=ports[0])
    section["worker_endpoints"] = [f"{cluster.host}:{port}" for port in ports]
    config = json.dumps({"clusters": [section], "queues": QUEUES})
    own = {f"s{number}": ["--worker-listen", f"0.0.0.0:{port}"] for number, port in enumerate(ports, start=1)}
    with (
        EtcdServer(tmp_path / "etcd") as etcd,
        Deployment(tmp_path / "platform", etcd, schedulers=2, config=config, options_of=own) as deployment,
    ):
        connect(deployment.endpoint)
        try:
            run = flyte.run(squares.sum_of_squares, CHILDREN, board.address, CHILD_S, "narrow")
            before = follow_until_done(run, 8)
            print(f"takeover: {deployment.takeover('kill'):.1f} s")
            assert_right(run, board, cluster)
            whole_log(run).assert_continues(before)
            deployment.stop()
        finally:
            set_settings(None)


def test_a_platform_that_is_killed_and_started_again_finds_its_pods(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster, file={"queues": QUEUES}) as platform:
        run = flyte.run(squares.sum_of_squares, CHILDREN, board.address, CHILD_S, "narrow")
        before = follow_until_done(run, 8)
        platform.kill()
        began = time.monotonic()
        platform.start()
        print(f"up again after {time.monotonic() - began:.1f} s")
        assert_right(run, board, cluster)
        whole_log(run).assert_continues(before)
        platform.stop()


def test_what_ends_while_no_scheduler_lives_counts(cluster: KubernetesUnderTest, board: Board, tmp_path: Path) -> None:
    with platform_in(tmp_path, cluster, contact_s=60.0) as platform:
        run = flyte.run(squares.square, 7, board.address, 2.0)
        board.await_entries(1)
        platform.kill()
        board.await_said("done")
        platform.start()
        assert run.outputs()[0] == 49
        board.assert_ran_once({"a0"})
        cluster.await_no_pods()
        platform.stop()
