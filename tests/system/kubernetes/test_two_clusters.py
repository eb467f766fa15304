"""One platform, two clusters: pods and processes, chosen by queue."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.support.kubernetes import KubernetesUnderTest
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import surroundings

import flyte
from flyte.remote import Action, ActionDetails

pytestmark = pytest.mark.timeout(180)

FILE = {
    "clusters": [{"name": "local", "kind": "process"}],
    "queues": [{"name": "in-pods", "clusters": ["pods"]}, {"name": "in-processes", "clusters": ["local"]}],
}


def test_a_queue_chooses_the_cluster(cluster: KubernetesUnderTest, tmp_path: Path) -> None:
    with platform_in(tmp_path, cluster, file=FILE) as platform:
        run = flyte.run(surroundings.on_both.override(queue="in-processes"), "in-pods", "in-processes")
        hosts = run.outputs()[0]
        assert hosts[1] == hosts[3] == socket.gethostname()
        assert len({hosts[0], hosts[2], socket.gethostname()}) == 3
        placed = {
            ActionDetails.get(run_name=run.name, name=action.name).attempt_states[0].cluster: action.name
            for action in Action.listall(run.name)
        }
        assert placed.keys() == {"pods", "local"}
        cluster.await_no_pods()
        platform.stop()
