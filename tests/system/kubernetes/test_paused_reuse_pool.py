"""A leader of the reuse pool that sleeps through the loss of its lead, with replicas in pods: it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.board import Board
from tests.support.deployment import Deployment
from tests.support.etcd import EtcdServer, free_ports, require_etcd
from tests.support.kubernetes import KubernetesUnderTest, kubernetes_under_test
from tests.support.run_log import follow_until_done, whole_log
from tests.system.kubernetes.conftest import connect
from tests.system.kubernetes.programs import warm
from tests.system.kubernetes.test_replicas_in_pods import CHILDREN, REPLICAS, assert_right, names, replicas

import flyte
from flyte.client.init import set_settings
from flyteplane.leadership import shards

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def own_cluster() -> Iterator[KubernetesUnderTest]:
    """The cluster, under a name of the test's own: replicas outlive the platform that they were made for."""
    with kubernetes_under_test() as cluster:
        yield cluster


def test_a_paused_leader_of_the_pool_touches_no_replica_when_it_wakes(
    own_cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    require_etcd()
    cluster = own_cluster
    ports = dict(zip(("s1", "p1", "p2"), free_ports(3), strict=True))
    section = cluster.section(worker_port=0)
    section["worker_endpoints"] = [f"{cluster.host}:{ports['s1']}"]
    section["replica_endpoints"] = [f"{cluster.host}:{ports[name]}" for name in ("p1", "p2")]
    own = {name: ["--worker-listen", f"0.0.0.0:{port}"] for name, port in ports.items()}
    config = json.dumps({"clusters": [section], "services": {"lease_seconds": 5}})
    with (
        EtcdServer(tmp_path / "etcd") as etcd,
        Deployment(tmp_path / "platform", etcd, schedulers=1, pools=2, config=config, options_of=own) as deployment,
    ):
        connect(deployment.endpoint)
        try:
            run = flyte.run(warm.sum_of_squares, CHILDREN, board.address, 1.5)
            before = follow_until_done(run, 8)
            pods = names(cluster.pods())
            old = deployment.leader(shards.REUSE_POOL)
            print(f"takeover from the paused pool: {deployment.takeover('freeze', shards.REUSE_POOL):.1f} s")
            follow_until_done(run, 14)
            deployment[old].thaw()
            assert_right(run, board)
            whole_log(run).assert_continues(before)
            assert names(replicas(cluster.pods())) <= pods
            assert len({entry.said["pod"] for entry in board.entries()}) == REPLICAS
            assert deployment.leader(shards.REUSE_POOL) != old
            deployment.stop()
        finally:
            set_settings(None)
