"""What is told of workers by lists and watches, however these come."""

from __future__ import annotations

import asyncio

from tests.cluster.kubernetes.conftest import OpenCluster
from tests.cluster.kubernetes.specs import worker
from tests.support.fake_kubernetes import FakeKubernetes, until
from tests.support.log_lines import LogLines
from tests.support.worker_listener import Listener

from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.ports import ExitReason, WorkerExit, WorkerStage


async def _started(cluster: KubernetesCluster, server: FakeKubernetes, name: str = "w") -> Listener:
    await until(lambda: server.watching)
    listener = Listener()
    await cluster.start(worker(name), listener)
    return listener


async def test_an_exit_is_told_once_and_its_pod_is_removed(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = await _started(cluster, server)
    server.run("w")
    server.finish("w", code=5, message="Boom")
    exit = await listener.gone()
    assert (exit.exit_code, exit.message) == (5, "container primary ended with code 5:\nBoom")
    await until(lambda: not server.objects["pods"])
    await asyncio.sleep(0.05)
    assert len(listener.exits) == 1


async def test_a_failure_without_words_is_given_the_last_lines_of_its_log_which_stay_out_of_the_platforms_own(
    cluster: KubernetesCluster, server: FakeKubernetes, log_lines: LogLines
) -> None:
    listener = await _started(cluster, server)
    server.logs["primary"] = "loading\nSegmentation fault\n"
    server.finish("w", code=139)
    exit = await listener.gone()
    assert exit.signal == 11
    assert "Segmentation fault" in exit.message
    (line,) = log_lines.all("worker_exited")
    assert (line["worker"], line["problem"]) == ("w", exit.message.partition("\n")[0])
    assert "Segmentation" not in log_lines.text


async def test_a_log_that_cannot_be_read_delays_nothing(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = await _started(cluster, server)
    server.fault("GET", "/log", status=500)
    server.finish("w", code=1)
    assert (await listener.gone()).exit_code == 1


async def test_events_become_progress_once(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = await _started(cluster, server)
    message = "0/1 nodes are available: 1 Insufficient cpu."
    for _time in range(3):
        server.warn("w", "FailedScheduling", message)
    progress = await listener.hears("Unschedulable")
    assert (progress.stage, progress.message) == (WorkerStage.WAITING, message)
    server.set_status("w", phase="Pending")
    server.warn("w", "FailedCreatePodSandBox", "no address is left")
    await listener.hears("FailedCreatePodSandBox")
    server.run("w")
    server.finish("w")
    await listener.gone()
    assert [each.reason for each in listener.heard] == ["", "Unschedulable", "", "FailedCreatePodSandBox"]


async def test_an_image_that_stays_away_ends_the_worker_when_patience_does(
    open_cluster: OpenCluster, server: FakeKubernetes
) -> None:
    cluster = await open_cluster(image_patience_s=0.2)
    listener = await _started(cluster, server)
    waiting = {"reason": "ErrImagePull", "message": "429 Too Many Requests"}
    server.set_status("w", phase="Pending", containerStatuses=[{"name": "primary", "state": {"waiting": waiting}}])
    assert (await listener.hears("ErrImagePull")).message.endswith("429 Too Many Requests")
    assert (await listener.gone()).reason is ExitReason.IMAGE_PULL_FAILED


async def test_a_pod_deleted_by_hand_is_told_as_that(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    server.objects["nodes"]["", "node-1"] = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    listener = await _started(cluster, server)
    server.run("w")
    server.vanish("w")
    exit = await listener.gone()
    assert (exit.reason, exit.known) == (ExitReason.POD_DELETED, False)


async def test_a_pod_that_vanished_with_its_node_is_told_as_that(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = await _started(cluster, server)
    server.run("w")
    server.vanish("w")
    exit = await listener.gone()
    assert (exit.reason, exit.message) == (ExitReason.NODE_LOST, "its node node-1 is gone")


async def test_a_pod_deleted_by_the_taint_manager_was_lost_with_its_node(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    server.objects["nodes"]["", "node-1"] = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    listener = await _started(cluster, server)
    server.run("w")
    server.warn("w", "TaintManagerEviction", "Marking for deletion Pod", kind="Normal")
    server.vanish("w")
    assert (await listener.gone()).reason is ExitReason.NODE_LOST


async def test_a_deletion_that_nobody_carries_out_is_forced_when_the_worker_must_have_ended_itself(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = await _started(cluster, server)
    server.run("w")
    pod = server.pod("w")
    deletion = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
    pod["metadata"] |= deletion
    server.run("w")
    assert (await listener.gone()).reason is ExitReason.NODE_LOST
    assert server.deletions[0][1] == 0


async def test_events_of_a_pod_that_come_before_its_creation_is_answered_are_not_lost(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    await until(lambda: server.watching)
    listener = Listener()
    server.fault("POST", "/pods", delay_s=0.0, after=True, status=504)
    starting = asyncio.ensure_future(_start_twice(cluster, listener))
    await until(lambda: server.objects["pods"])
    server.finish("w", code=9)
    await starting
    assert (await listener.gone()).exit_code == 9


async def _start_twice(cluster: KubernetesCluster, listener: Listener) -> None:
    for _try in range(2):
        try:
            await cluster.start(worker(), listener)
        except Exception:
            continue
        return


# What the watch does not tell.


async def test_a_watch_that_ends_is_taken_up_where_it_ended(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = await _started(cluster, server)
    lists = server.count("GET", "/pods?labelSelector")
    server.hang_up()
    server.finish("w", code=6)
    assert (await listener.gone()).exit_code == 6
    assert server.count("GET", "/pods?labelSelector") <= lists + 1


async def test_a_version_that_is_too_old_means_to_list_again(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = await _started(cluster, server)
    server.hang_up()
    server.finish("w", code=6, tell=False)
    server.compact()
    assert (await listener.gone()).exit_code == 6


async def test_a_pod_that_a_list_misses_is_gone(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = await _started(cluster, server)
    server.hang_up()
    server.vanish("w", tell=False)
    server.compact()
    assert not (await listener.gone()).known


async def test_a_silent_watch_is_replaced(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    cluster = await open_cluster(watch_silence_s=0.4, probe_s=0.1)
    listener = await _started(cluster, server)
    server.mute = True
    server.finish("w", code=8)
    assert (await listener.gone()).exit_code == 8
    assert server.watching


async def test_everything_is_compared_now_and_then(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    cluster = await open_cluster(resync_s=0.3)
    listener = await _started(cluster, server)
    server.finish("w", code=8, tell=False)
    assert (await listener.gone()).exit_code == 8


async def test_repeated_and_late_events_change_nothing(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = await _started(cluster, server)
    server.run("w")
    server.run("w")
    server.bookmark()
    server.finish("w", code=2)
    if server.objects["pods"]:
        server.finish("w", code=2)
    await listener.gone()
    await until(lambda: not server.objects["pods"])
    await cluster.start(worker(), again := Listener())
    assert len(listener.exits) == 1
    assert not again.exits


async def test_many_pods_are_listed_in_pages(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    first = await open_cluster(requests_per_second=5000, burst=5000)
    names = [f"w{number}" for number in range(520)]
    await asyncio.gather(*(first.start(worker(name), Listener()) for name in names))
    await first.close()
    second = await open_cluster()
    assert sorted(await second.others(["w0"])) == sorted(names[1:])
    assert server.count("GET", "continue=500") >= 1


# The server is away.


async def test_while_the_server_is_away_nothing_is_concluded(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = await _started(cluster, server)
    server.run("w")
    await server.down()
    server.vanish("w", tell=False)
    await until(lambda: not cluster.health().reachable)
    heard = len(listener.heard)
    assert f"127.0.0.1:{server.port}" in cluster.health().message
    await asyncio.sleep(0.3)
    assert (listener.exits, len(listener.heard)) == ([], heard)
    await server.up()
    assert not (await listener.gone()).known
    assert cluster.health().reachable


async def test_a_server_that_answers_with_errors_concludes_nothing(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = await _started(cluster, server)
    fault = server.fault("GET", "/pods", status=503, message="etcd is away", times=10_000)
    server.hang_up()
    server.finish("w", code=3, tell=False)
    await until(lambda: not cluster.health().reachable)
    assert "etcd is away" in cluster.health().message
    assert not listener.exits
    server.faults.remove(fault)
    assert (await listener.gone(within_s=10)).exit_code == 3


async def test_credentials_that_expire_are_said_in_health(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    await until(lambda: server.watching)
    server.token = "another"
    server.hang_up()
    await until(lambda: not cluster.health().reachable)
    assert "expired" in cluster.health().message


class _Careless(Listener):
    """Fails when it hears of an exit."""

    def exited(self, exit: WorkerExit) -> None:
        super().exited(exit)
        raise RuntimeError("careless")


async def test_a_listener_that_fails_does_not_make_the_cluster_blind(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    await until(lambda: server.watching)
    careless, careful = _Careless(), Listener()
    await cluster.start(worker("careless"), careless)
    await cluster.start(worker("better"), careful)
    server.finish("careless")
    await careless.gone()
    server.finish("better")
    await careful.gone()
    assert len(careless.exits) == 1


async def test_rights_that_are_taken_away_are_said_in_health(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    await until(lambda: server.watching)
    server.fault("GET", "/pods", status=403, message="cannot list pods", times=100)
    server.hang_up()
    await until(lambda: not cluster.health().reachable)
    assert "cannot list pods" in cluster.health().message


async def test_a_server_that_freezes_is_said_in_health(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    cluster = await open_cluster(request_timeout_s=1.5, probe_s=0.1)
    listener = await _started(cluster, server)
    server.mute = True
    server.fault("GET", "/", delay_s=60.0, times=10_000)
    await until(lambda: not cluster.health().reachable)
    assert "no answer within 1.5 s" in cluster.health().message
    server.finish("w", code=3, message="x")
    server.mute = False
    assert not listener.exits
    server.faults.clear()
    assert (await listener.gone()).exit_code == 3
    assert cluster.health().reachable
