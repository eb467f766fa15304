"""Canaries in pods: whatever tasks do with their secrets, neither Kubernetes nor the platform holds a value after it.

Searched are every object of the platform's namespaces with their events and logs, every file of the platform, what the
command line shows, and, where FLYTEPLANE_TEST_KUBERNETES_ETCD is the address of the cluster's own etcd, every key and
value that the API server has written since the test began, what was overwritten and deleted meanwhile included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from kubernetes.client.exceptions import ApiException
from tests.support.canary import Canary, etcd_history, etcd_revision, files_below, sightings
from tests.support.kubernetes import KubernetesUnderTest, kubernetes_under_test
from tests.support.platform import PlatformUnderTest
from tests.system.kubernetes.conftest import platform_in

import flyte
import flyte.errors

CANARIES: Final = Path(__file__).parent.parent / "canaries"
ETCD_VARIABLE: Final = "FLYTEPLANE_TEST_KUBERNETES_ETCD"
# As on a worker, where their folder is the root of the bundle.
sys.path.insert(0, str(CANARIES))
import canary  # type: ignore[import-not-found]  # noqa: E402

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def cluster() -> Iterator[KubernetesUnderTest]:
    """The cluster, under a name of the test's own: replicas outlive the platform that they were made for."""
    with kubernetes_under_test() as cluster:
        yield cluster


@pytest.fixture
def platform(cluster: KubernetesUnderTest, tmp_path: Path) -> Iterator[PlatformUnderTest]:
    """A platform whose workers are pods, with this process as its client."""
    with platform_in(tmp_path, cluster) as platform:
        flyte.init(endpoint=platform.endpoint, root_dir=CANARIES)
        yield platform


def everything_in(cluster: KubernetesUnderTest) -> list[tuple[str, str]]:
    """What the API server shows of the platform's namespaces, logs of pods included."""
    kinds = ("pod", "event", "config_map", "secret", "service_account", "pod_template")
    shown = [(f"kubernetes {kind}", cluster.text_of(kind)) for kind in kinds]
    for pod in cluster.pods():
        name, namespace = pod.metadata.name, pod.metadata.namespace
        try:
            shown.append((f"log of {name}", cluster.core.read_namespaced_pod_log(name, namespace)))
        except ApiException as gone:
            if gone.status not in (400, 404):
                raise
    return shown


def watched_run(cluster: KubernetesUnderTest, task: Any) -> tuple[Any, list[tuple[str, str]]]:
    """A run that has ended, and what Kubernetes showed while its pods were there."""
    run = flyte.run(task)
    cluster.await_pods(lambda pods: any(pod.status.phase == "Running" for pod in pods))
    shown = everything_in(cluster)
    run.wait()
    return run, shown + everything_in(cluster)


def test_neither_kubernetes_nor_the_platform_holds_a_value(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest
) -> None:
    etcd = os.environ.get(ETCD_VARIABLE, "")
    since = etcd_revision(etcd) if etcd else 0
    kept, given = (Canary(), Canary()), Canary()
    for arguments, value in (
        (("CANARY", "-p", "flytesnacks"), kept[0]),
        (("CANARY_FILE", "--group", "team", "-d", "development"), kept[1]),
        (("GIVEN_CANARY",), given),
    ):
        made = platform.flyte("create", "secret", *arguments, stdin=value.value)
        assert made.returncode == 0, made.stderr

    run, shown = watched_run(cluster, canary.all_of_them)
    told = run.outputs()[0]
    assert told[-2:] == [str(len(given.value)), str(20_000 * len(given.value))]
    assert len(told) == 4
    assert all("[secret]" in text for text in told[:-2]), told
    log = platform.flyte("get", "logs", run.name, "--all").stdout
    doors = ("print", "logging", "descriptor", "program")
    assert [door for door in doors if log.count(f"{door} [secret]") < 2] == [], log
    for command in (("get", "action", run.name, "--json"), ("get", "secret", "--audit", "--json")):
        log += platform.flyte(*command).stdout
    # A fresh pod and a replica each, and the pods that only hand on: all of them asked for themselves.
    assert platform.flyte("get", "secret", "CANARY", "--audit").stdout.count("given") >= 3

    shown += everything_in(cluster)
    assert any(cluster.name in text for _, text in shown)
    found = [one for where, text in shown for one in sightings([*kept, given], where, text)]
    found += sightings([*kept, given], "shown", log)
    found += [one for where, content in files_below(platform.data) for one in sightings(kept, where, content)]
    if etcd:
        history = list(etcd_history(etcd, since=since))
        assert any(cluster.name.encode() in content for _, content in history)
        found += [one for where, content in history for one in sightings([*kept, given], where, content)]
    assert found == []


def test_a_missing_secret_fails_an_action_in_a_pod_at_once_with_the_scopes(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest
) -> None:
    for task in (canary.prints, canary.prints_warm):
        with pytest.raises(flyte.errors.BaseRuntimeError) as failed:
            flyte.run(task).outputs()
        words = str(failed.value)
        assert "project flytesnacks and domain development; project flytesnacks; domain development" in words
        assert "flyte create secret CANARY" in words
    # It was known before anybody waited for a pod.
    assert cluster.pods() == []
