"""Replicas that are pods: few of them run many tasks, warm, and outlive whatever happens around them."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.board import Board
from tests.support.certificates import Authority
from tests.support.cuttable_network import CuttableNetwork
from tests.support.deployment import Deployment
from tests.support.etcd import EtcdServer, free_ports, require_etcd
from tests.support.kubernetes import KubernetesUnderTest, kubernetes_under_test
from tests.support.run_log import follow_until_done, whole_log
from tests.system.kubernetes.conftest import connect, platform_in
from tests.system.kubernetes.programs import warm

import flyte
import flyte.errors
from flyte.client.init import set_settings
from flyte.io import File
from flyte.remote import ActionDetails, Run
from flyte.spec.tls_names import WORKERS_NAME
from flyteapi.common.v1.error_pb2 import ERROR_KIND_SYSTEM, ERROR_KIND_USER
from flyteplane.leadership import shards

pytestmark = pytest.mark.timeout(300)

CONTACT_S = 6.0
CHILDREN = 50
REPLICAS = 2


@pytest.fixture
def cluster() -> Iterator[KubernetesUnderTest]:
    """The cluster, under a name of the test's own: replicas outlive the platform that they were made for."""
    with kubernetes_under_test() as cluster:
        yield cluster


def replicas(pods: list[Any]) -> list[Any]:
    """Those of the pods that are replicas."""
    return [pod for pod in pods if pod.metadata.labels["flyteplane.dev/component"] == "replica"]


def workers_tls(authority: Authority) -> dict[str, Any]:
    """The section `tls` of an operator's file for workers. The certificate says nothing of addresses."""
    made = authority.issue("workers", dns=(WORKERS_NAME,), addresses=())
    files = {"cert_file": made.cert_file, "key_file": made.key_file, "ca_file": authority.ca_file}
    return {"workers": {name: str(path) for name, path in files.items()}}


def names(pods: list[Any]) -> set[str]:
    """Their names."""
    return {pod.metadata.name for pod in pods}


def assert_right(run: Run, board: Board, *, children: int = CHILDREN, runs: int = 1) -> None:
    """The result is right, and the code of each child ran once in each of so many runs, in which names are the same."""
    assert run.outputs()[0] == sum(number * number for number in range(children))
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert len(log.succeeded()) == children
    starts = board.starts()
    assert {starts[action] for action in log.succeeded()} == {runs}


def test_fifty_children_run_on_two_replicas_and_the_next_call_finds_them_warm(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    # All that pods say goes through TLS.
    tls = workers_tls(Authority(tmp_path / "authority"))
    with platform_in(tmp_path, cluster, file={"tls": tls}) as platform:
        seconds = []
        for runs in (1, 2):
            began = time.monotonic()
            assert_right(flyte.run(warm.sum_of_squares, CHILDREN, board.address, 0.0), board, runs=runs)
            seconds.append(time.monotonic() - began)
        starts = [entry for entry in board.entries() if "word" not in entry.said]
        assert len({entry.said["pod"] for entry in starts}) == REPLICAS
        # Each replica loaded its model once: user code that found none ran once in each process.
        assert sum(not entry.said["warm"] for entry in starts) == REPLICAS
        assert len(replicas(cluster.pods())) == REPLICAS
        # A single child on a warm replica, without a caller in a pod.
        began = time.monotonic()
        assert flyte.run(warm.square, 7, board.address, 0.0).outputs()[0] == 49
        seconds.append(time.monotonic() - began)
        print(f"cold {seconds[0]:.2f} s, warm {seconds[1]:.2f} s, one task on a warm replica {seconds[2]:.3f} s")
        assert seconds[2] < seconds[0] / 3
        platform.stop()


def test_a_pool_that_is_idle_for_its_time_leaves_nothing(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        assert flyte.run(warm.says_hello, board.address).outputs()[0] == "hello"
        (replica,) = replicas(cluster.pods())
        assert replica.metadata.labels["flyteplane.dev/environment"] == "brief"
        left = cluster.await_no_pods(within_s=75.0)
        print(f"the replica was gone {left:.1f} s after its only task")
        maps = cluster.core.list_namespaced_config_map(cluster.namespace).items
        assert {each.metadata.name for each in maps} <= {"kube-root-ca.crt"}
        kept = cluster.core.list_namespaced_secret(cluster.namespace).items
        assert {each.type for each in kept} <= {"kubernetes.io/service-account-token"}
        # The next task finds a new one.
        assert flyte.run(warm.says_hello, board.address).outputs()[0] == "hello"
        platform.stop()


def test_a_replica_that_is_deleted_is_replaced_and_its_attempt_tried_again(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        run = flyte.run(warm.waits_once, board.address)
        (waiting,) = board.await_entries(1)
        (pod,) = [pod for pod in replicas(cluster.pods()) if pod.metadata.name == waiting.said["pod"]]
        cluster.delete_pod(pod)
        assert run.outputs()[0] == 2
        lost, succeeded = ActionDetails.get(run_name=run.name).attempt_states
        print(f"the lost attempt: {lost.error.code}: {lost.error.message}")
        # `retries=0`: what happened was charged to the infrastructure.
        assert (lost.error.kind, lost.error.code, succeeded.error.code) == (ERROR_KIND_SYSTEM, "POD_DELETED", "")
        after = cluster.await_pods(
            lambda pods: len(replicas(pods)) == REPLICAS and pod.metadata.name not in names(pods)
        )
        assert board.entries()[-1].said["pod"] in names(after)
        platform.stop()


def test_a_replica_that_is_cut_off_stops_before_its_attempt_is_given_to_another(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    (listener,) = free_ports(1)
    with CuttableNetwork(to=("127.0.0.1", listener)) as network:
        endpoints = [f"{cluster.host}:{network.port}"]
        with platform_in(
            tmp_path, cluster, worker_port=listener, worker_endpoints=endpoints, contact_s=CONTACT_S
        ) as platform:
            run = flyte.run(warm.pings_once, board.address)
            (cut_off, *_) = board.await_entries(10)
            network.cut(cut_off.peer)
            ended = board.await_end_of(cut_off.peer, within_s=3 * CONTACT_S)
            assert run.outputs()[0] == 2
            lost, succeeded = ActionDetails.get(run_name=run.name).attempt_states
            print(f"the lost attempt: {lost.error.code}: {lost.error.message}")
            assert (lost.error.kind, succeeded.error.code) == (ERROR_KIND_SYSTEM, "")
            (second,) = [entry for entry in board.entries() if entry.attempt == 2]
            print(f"{second.at - ended:.1f} s between the last sign of one attempt and the first of the next")
            assert ended < second.at
            assert second.said["pod"] != cut_off.said["pod"]
            platform.stop()


def test_a_task_that_takes_its_replica_down_is_charged_for_it_by_its_exit_code_and_its_memory(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        for task, amount, code in ((warm.dies, 7, "REPLICA_CRASHED"), (warm.hungry, 600, "OUT_OF_MEMORY")):
            run = flyte.run(task, board.address, amount)
            with pytest.raises(flyte.errors.BaseRuntimeError):
                run.outputs()
            (attempt,) = ActionDetails.get(run_name=run.name).attempt_states
            print(f"{attempt.error.code}: {attempt.error.message}")
            assert (attempt.error.kind, attempt.error.code) == (ERROR_KIND_USER, code)
        assert flyte.run(warm.square, 3, board.address, 0.0).outputs()[0] == 9
        platform.stop()


def test_replicas_go_on_while_the_whole_platform_is_killed_and_started_again(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        run = flyte.run(warm.sum_of_squares, CHILDREN, board.address, 2.0)
        before = follow_until_done(run, 12)
        pods = names(cluster.pods())
        platform.kill()
        began = time.monotonic()
        platform.start()
        print(f"up again after {time.monotonic() - began:.1f} s")
        assert_right(run, board)
        whole_log(run).assert_continues(before)
        assert names(replicas(cluster.pods())) <= pods
        assert len({entry.said["pod"] for entry in board.entries()}) == REPLICAS
        platform.stop()


def test_a_replica_that_gave_up_while_there_was_no_platform_is_cleared_away_by_the_next(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster, contact_s=CONTACT_S) as platform:
        assert flyte.run(warm.says_hello, board.address).outputs()[0] == "hello"
        before = names(replicas(cluster.pods()))
        platform.stop()
        # Nobody answers it: it ends by itself, and nobody is there who would remove what is left of it.
        cluster.await_pods(lambda pods: {pod.status.phase for pod in pods} == {"Failed"})
        platform.start()
        connect(platform.endpoint)
        cluster.await_pods(lambda pods: not before & names(pods))
        assert flyte.run(warm.says_hello, board.address).outputs()[0] == "hello"
        platform.stop()


def test_replicas_go_on_while_leading_scheduler_and_leading_pool_are_killed(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    require_etcd()
    ports = dict(zip(("s1", "s2", "p1", "p2"), free_ports(4), strict=True))
    section = cluster.section(worker_port=0)
    section["worker_endpoints"] = [f"{cluster.host}:{ports[name]}" for name in ("s1", "s2")]
    section["replica_endpoints"] = [f"{cluster.host}:{ports[name]}" for name in ("p1", "p2")]
    own = {name: ["--worker-listen", f"0.0.0.0:{port}"] for name, port in ports.items()}
    config = json.dumps({"clusters": [section]})
    with (
        EtcdServer(tmp_path / "etcd") as etcd,
        Deployment(tmp_path / "platform", etcd, schedulers=2, pools=2, config=config, options_of=own) as deployment,
    ):
        connect(deployment.endpoint)
        try:
            run = flyte.run(warm.sum_of_squares, CHILDREN, board.address, 2.0)
            before = follow_until_done(run, 8)
            pods = names(cluster.pods())
            print(f"takeover of the scheduler: {deployment.takeover('kill'):.1f} s")
            follow_until_done(run, 20)
            print(f"takeover of the pool: {deployment.takeover('kill', shards.REUSE_POOL):.1f} s")
            assert_right(run, board)
            whole_log(run).assert_continues(before)
            assert names(replicas(cluster.pods())) <= pods
            assert len({entry.said["pod"] for entry in board.entries()}) == REPLICAS
            deployment.stop()
        finally:
            set_settings(None)


def test_parents_that_wait_for_children_in_their_own_pool_get_on_by_further_pods(
    cluster: KubernetesUnderTest, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        assert flyte.run(warm.depth_of, 3).outputs()[0] == 3
        assert flyte.run(warm.depth_of_synchronous, 2).outputs()[0] == 2
        cluster.await_pods(lambda pods: len(replicas(pods)) <= 1, within_s=60.0)
        platform.stop()


def test_an_abort_stops_what_runs_on_replicas_and_leaves_these_warm(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        run = flyte.run(warm.crowd, board.address, CHILDREN)
        board.await_entries(10)
        run.abort(reason="enough")
        run.wait(quiet=True)
        before = names(replicas(cluster.pods()))
        assert flyte.run(warm.square, 7, board.address, 0.0).outputs()[0] == 49
        assert board.entries()[-1].said["pod"] in before
        platform.stop()


def test_a_pool_is_resized_and_drained_by_hand(cluster: KubernetesUnderTest, board: Board, tmp_path: Path) -> None:
    with platform_in(tmp_path, cluster) as platform:
        run = flyte.run(warm.square, 7, board.address, 2.0)
        board.await_entries(1)
        (pool,) = json.loads(platform.flyte("get", "pool", "--json").stdout)
        resized = platform.flyte("update", "pool", pool["pool"], "--replicas", "1")
        assert resized.returncode == 0, resized.stderr
        cluster.await_pods(lambda pods: len(pods) == 1)
        drained = platform.flyte("drain", "pool", pool["pool"])
        assert drained.returncode == 0, drained.stderr
        # It finishes what it runs, and goes by itself.
        assert run.outputs()[0] == 49
        board.assert_ran_once({"a0"})
        cluster.await_no_pods()
        platform.stop()


def test_files_and_large_values_of_tasks_beside_each_other_pass_through_replicas(
    cluster: KubernetesUnderTest, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster) as platform:
        source = tmp_path / "said.txt"
        source.write_bytes(b"hello " * 300_000)
        files, total = flyte.run(warm.shouts, File.from_local_sync(str(source)), 1_000_000, 8).outputs()
        assert total == 8_000_000
        assert len({file.path for file in files}) == 8
        for number, file in enumerate(files):
            assert Path(file.download_sync(str(tmp_path / f"{number}.txt"))).read_bytes() == b"HELLO " * 300_000
        platform.stop()


def test_secrets_reach_tasks_on_replicas_and_nothing_that_kubernetes_shows(
    cluster: KubernetesUnderTest, tmp_path: Path
) -> None:
    in_variable, in_file = f"s3cret-{secrets.token_hex(12)}", f"k3y-{secrets.token_hex(20)}"
    with platform_in(tmp_path, cluster) as platform:
        for name, value in (("WARM_SECRET", in_variable), ("WARM_SECRET_FILE", in_file)):
            made = platform.flyte("create", "secret", name, stdin=value)
            assert made.returncode == 0, made.stderr
        runs = [flyte.run(warm.reads_secrets, number) for number in range(4)]
        found = [run.outputs()[0] for run in runs]
        assert {tuple(each[:2]) for each in found} == {(len(in_variable), len(in_file))}
        # The node's word that a container runs comes later than the container's own.
        (pod,) = cluster.await_pods(lambda pods: [pod.status.phase for pod in pods] == ["Running"])
        shown = cluster.text_of("pod", "event", "config_map", "secret")
        shown += cluster.core.read_namespaced_pod_log(pod.metadata.name, pod.metadata.namespace, container="primary")
        shown += "".join(platform.flyte("get", "logs", run.name).stdout for run in runs)
        assert "they are [secret]" in shown
        for value in (in_variable, in_file):
            encoded = base64.b64encode(value.encode()).decode()
            for form in (value, encoded, base64.b64encode(encoded.encode()).decode()):
                assert form not in shown
        platform.stop()
