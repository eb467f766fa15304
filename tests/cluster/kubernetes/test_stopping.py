"""Stopping, adopting, and finding what another owner left."""

from __future__ import annotations

import asyncio

import pytest
from tests.cluster.kubernetes.conftest import OpenCluster
from tests.cluster.kubernetes.specs import worker
from tests.support.fake_kubernetes import FakeKubernetes, until
from tests.support.worker_listener import Listener

from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.ports import ExitReason
from flyteplane.foundation.errors import Unavailable


async def test_stop_deletes_the_pod_with_grace_and_tells_the_exit(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = Listener()
    await cluster.start(worker(), listener)
    server.run("w")
    await cluster.stop("w", grace_s=4.2)
    assert (await listener.gone()).reason is ExitReason.STOPPED
    assert server.deletions[0][1] == 5
    assert not server.objects["pods"]


async def test_a_pod_that_outstays_its_grace_is_deleted_without(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    server.instant_deletion = False
    listener = Listener()
    await cluster.start(worker(), listener)
    server.run("w")
    await cluster.stop("w", grace_s=0.5)
    assert [grace for _, grace in server.deletions] == [1, 0]
    assert (await listener.gone()).reason is ExitReason.STOPPED


async def test_stop_may_be_repeated_and_may_name_nobody(cluster: KubernetesCluster) -> None:
    listener = Listener()
    await cluster.start(worker(), listener)
    await asyncio.gather(*(cluster.stop("w", grace_s=1) for _ in range(3)))
    await cluster.stop("w", grace_s=1)
    await cluster.stop("never started", grace_s=1)
    assert len(listener.exits) == 1


async def test_a_name_can_be_used_again_after_a_stop(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    for _time in range(2):
        listener = Listener()
        await cluster.start(worker(), listener)
        await cluster.stop("w", grace_s=1)
        await listener.gone()
    assert server.count("POST", "/pods") == 2


async def test_stop_outlasts_an_outage(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    listener = Listener()
    await cluster.start(worker(), listener)
    server.fault("DELETE", "/pods", hang_up=True)
    server.fault("DELETE", "/pods", status=500, times=2)
    await cluster.stop("w", grace_s=1)
    assert (await listener.gone()).reason is ExitReason.STOPPED


async def test_a_stop_that_is_cut_off_by_close_says_so(cluster: KubernetesCluster, server: FakeKubernetes) -> None:
    server.instant_deletion = False
    await cluster.start(worker(), Listener())
    stopping = asyncio.ensure_future(cluster.stop("w", grace_s=60))
    await until(lambda: server.deletions)
    await cluster.close()
    with pytest.raises(Unavailable):
        await stopping


async def test_a_worker_that_ended_before_it_was_stopped_has_ended_itself(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    listener = Listener()
    await cluster.start(worker(), listener)
    server.finish("w", code=3, message="x", tell=False)
    server.instant_deletion = True
    await cluster.stop("w", grace_s=1)
    assert (await listener.gone()).exit_code == 3


async def test_pods_of_an_owner_before_are_adopted(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    first = await open_cluster()
    before = Listener()
    await first.start(worker(), before)
    await first.start(worker("done"), Listener())
    await first.close()
    server.finish("done", code=4)
    second = await open_cluster()
    running, ended = Listener(), Listener()
    assert await second.adopt("w", running)
    assert await second.adopt("done", ended)
    assert not await second.adopt("never", Listener())
    assert (await ended.gone()).exit_code == 4
    server.finish("w", code=5)
    assert (await running.gone()).exit_code == 5
    assert not before.exits


async def test_pods_are_found_in_whatever_namespace_they_are(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    settings = {"namespace": "{project}-{domain}", "create_namespaces": True}
    first = await open_cluster(**settings)
    await first.start(worker(), Listener())
    second = await open_cluster(**settings)
    listener = Listener()
    assert await second.adopt("w", listener)
    await second.stop("w", grace_s=1)
    assert (await listener.gone()).reason is ExitReason.STOPPED


async def test_what_nobody_knows_is_listed_and_can_be_stopped(
    open_cluster: OpenCluster, server: FakeKubernetes
) -> None:
    first = await open_cluster()
    for name in ("known", "left"):
        await first.start(worker(name), Listener())
    await first.close()
    stranger = await open_cluster(installation="stranger")
    await stranger.start(worker("strange"), Listener())
    second = await open_cluster()
    assert await second.others(["known"]) == ["left"]
    await second.stop("left", grace_s=1)
    assert await second.others(["known"]) == []
    assert server.pod("strange")


async def test_without_the_server_nobody_is_adopted_and_nobody_is_unknown(
    open_cluster: OpenCluster, server: FakeKubernetes
) -> None:
    cluster = await open_cluster()
    await until(lambda: server.watching)
    await server.down()
    await until(lambda: not cluster.health().reachable)
    with pytest.raises(Unavailable):
        await cluster.adopt("w", Listener())
    with pytest.raises(Unavailable):
        await cluster.others([])


async def test_a_shorter_grace_takes_the_place_of_a_longer_one(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    server.instant_deletion = False
    listener = Listener()
    await cluster.start(worker(), listener)
    server.run("w")
    patient = asyncio.ensure_future(cluster.stop("w", grace_s=600))
    await until(lambda: server.deletions)
    await cluster.stop("w", grace_s=0)
    await patient
    assert [grace for _, grace in server.deletions] == [600, 1, 0]
    assert len(listener.exits) == 1


async def test_a_worker_that_is_started_again_while_its_pod_leaves_is_told_its_exit_again(
    cluster: KubernetesCluster, server: FakeKubernetes
) -> None:
    await until(lambda: server.watching)
    server.instant_deletion = False
    first, second = Listener(), Listener()
    await cluster.start(worker(), first)
    server.finish("w", code=3, message="x")
    await first.gone()
    await cluster.start(worker(), second)
    assert (await second.gone()).exit_code == 3
    server.vanish("w")
    await until(lambda: not server.objects["pods"])
    await cluster.stop("w", grace_s=1)
    assert (len(first.exits), len(second.exits)) == (1, 1)
