"""Pods that do not start: what is said of them while they wait, and what ends the wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.admission_webhook import DenyingWebhook
from tests.support.board import Board
from tests.support.certificates import make_certificates
from tests.support.control_plane import LocalControlPlane
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.platform import PlatformUnderTest
from tests.support.run_log import events_of
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import endings, surroundings

import flyte
from flyte.models import ActionPhase
from flyte.remote import ActionDetails, Run


@pytest.fixture(scope="module")
def platform(cluster: KubernetesUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """One platform for the module, with little patience for images."""
    with platform_in(tmp_path_factory.mktemp("waiting"), cluster, image_patience_s=3.0) as platform:
        yield platform
        cluster.await_no_pods()
        platform.stop()


pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("platform")]


def await_reason(run: Run, words: str) -> str:
    """Returns what is said of a run once it contains these words."""
    for event in events_of(run):
        if words in event.reason:
            return event.reason
    raise AssertionError(f"the run ended, and {words!r} was never said")


def explanation(platform: PlatformUnderTest, run: Run) -> dict[str, Any]:
    """What the command line says of the root."""
    done = platform.flyte("get", "action", run.name, "--explain", "--json")
    assert done.returncode == 0, done.stderr
    explained: dict[str, Any] = json.loads(done.stdout)
    return explained


def test_a_request_that_no_node_has_room_for_waits_is_explained_and_can_be_aborted(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest
) -> None:
    run = flyte.run(endings.far_too_large)
    await_reason(run, "Insufficient cpu")
    explained = explanation(platform, run)
    assert explained["phase"] == "WAITING_FOR_RESOURCES"
    assert explained["waits_for"] == "cluster"
    assert "nodes are available" in explained["cluster_message"]
    assert explained["cluster"] == "pods"
    run.abort("too large")
    run.wait()
    assert run.phase is ActionPhase.ABORTED
    cluster.await_no_pods(run=run.name)


def test_the_wait_for_a_node_that_is_not_there_ends_when_it_may_last_no_longer(cluster: KubernetesUnderTest) -> None:
    run = flyte.run(endings.nowhere)
    assert "node" in await_reason(run, "Unschedulable")
    run.wait()
    assert run.phase is ActionPhase.TIMED_OUT
    assert "max_queued_time" in str(run.error())
    cluster.await_no_pods(run=run.name)


def test_an_image_that_does_not_exist_ends_the_action_at_once() -> None:
    run = flyte.run(endings.no_such_image)
    run.wait()
    assert run.phase is ActionPhase.FAILED
    details = ActionDetails.get(run_name=run.name)
    assert [attempt.error.code for attempt in details.attempt_states] == ["IMAGE_NOT_FOUND"]
    assert "flyteplane/no-such-image:1" in str(run.error())


def test_a_registry_that_does_not_answer_is_told_while_it_is_waited_for(platform: PlatformUnderTest) -> None:
    run = flyte.run(endings.registry_is_silent)
    assert "127.0.0.1:1" in await_reason(run, "ImagePull")
    assert explanation(platform, run)["waits_for"] == "worker"
    run.wait()
    assert run.phase is ActionPhase.FAILED
    codes = {attempt.error.code for attempt in ActionDetails.get(run_name=run.name).attempt_states}
    assert codes == {"IMAGE_PULL_FAILED"}


def test_a_quota_that_is_used_up_delays_and_says_so(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest, board: Board
) -> None:
    cluster.make_namespace()
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    cluster.core.create_namespaced_resource_quota(cluster.namespace, quota)
    try:
        run = flyte.run(surroundings.where_am_i)
        await_reason(run, "exceeded quota")
        assert "exceeded quota" in explanation(platform, run)["cluster_message"]
    finally:
        cluster.core.delete_namespaced_resource_quota("none", cluster.namespace)
    assert run.outputs()[0]
    assert len(ActionDetails.get(run_name=run.name).attempt_states) == 1


def test_what_an_admission_webhook_denies_fails_with_its_words(cluster: KubernetesUnderTest, tmp_path: Path) -> None:
    if LocalControlPlane.find(cluster.kubeconfig) is None:
        pytest.skip("the API server is on another machine, which cannot reach a webhook of this one")
    with DenyingWebhook(cluster, make_certificates(tmp_path), words="not on a Sunday"):
        run = flyte.run(surroundings.where_am_i)
        run.wait()
    assert run.phase is ActionPhase.FAILED
    details = ActionDetails.get(run_name=run.name)
    assert [attempt.error.code for attempt in details.attempt_states] == ["WEBHOOK_DENIED"]
    assert "not on a Sunday" in str(run.error())
