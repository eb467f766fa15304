"""Where work is placed: on two clusters of one platform, chosen by queue, and as the resource class says."""

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


CLASS = {
    "name": "robots",
    "cpu": "2",
    "memory": "1Gi",
    "clusters": ["pods"],
    "node_selector": {"kubernetes.io/os": "linux"},
    "allow": {"service_accounts": ["robot"]},
}


def test_a_class_chooses_nodes_and_lends_its_service_account(cluster: KubernetesUnderTest, tmp_path: Path) -> None:
    cluster.make_namespace()
    cluster.core.create_namespaced_service_account(cluster.namespace, {"metadata": {"name": "robot"}})
    with platform_in(tmp_path, cluster, file={"resource_classes": [CLASS]}) as platform:
        run = flyte.run(surroundings.as_robot)
        (pod,) = cluster.await_pods(lambda pods: len(pods) == 1, run=run.name)
        assert pod.spec.service_account_name == "robot"
        assert pod.spec.node_selector == {"kubernetes.io/os": "linux"}
        assert not pod.spec.automount_service_account_token
        assert run.outputs()[0] == 1
        (attempt,) = ActionDetails.get(run_name=run.name).attempt_states
        assert attempt.resource_class == "robots"
        cluster.await_no_pods()
        platform.stop()
