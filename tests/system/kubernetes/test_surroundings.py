"""What a task finds in its pod, what the pod shows of it, and how data gets in and out."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.platform import PlatformUnderTest
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import surroundings

import flyte
import flyte.errors
from flyte.io import File


@pytest.fixture(scope="module")
def platform(cluster: KubernetesUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """One platform for the module."""
    with platform_in(tmp_path_factory.mktemp("surroundings"), cluster) as platform:
        yield platform
        cluster.await_no_pods()
        platform.stop()


pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("platform")]


def test_variables_and_user_are_those_that_were_asked_for() -> None:
    context = flyte.with_runcontext(env_vars={"COLOUR": "red", "OF_RUN": "1"})
    seen = context.run(surroundings.look_around, ["COLOUR", "OF_RUN", "TZ"]).outputs()[0]
    assert (seen["COLOUR"], seen["OF_RUN"], seen["TZ"]) == ("green", "1", "Europe/Oslo")
    assert seen["user"] == "10001"


def test_shared_memory_is_as_large_as_was_asked_for(cluster: KubernetesUnderTest) -> None:
    run = flyte.run(surroundings.shared_memory)
    (pod,) = cluster.await_pods(lambda pods: len(pods) == 1, run=run.name)
    (volume,) = [volume for volume in pod.spec.volumes if volume.empty_dir and volume.name == "flyte-shm"]
    assert (volume.empty_dir.medium, volume.empty_dir.size_limit) == ("Memory", "96Mi")
    # Before 1.22 the node keeps to the limit by evicting whoever passes it; without the volume there are 64 MiB.
    assert run.outputs()[0] >= 96 * 1024 * 1024


def test_a_sidecar_of_the_template_ends_with_the_task_and_labels_are_on_the_pod(cluster: KubernetesUnderTest) -> None:
    context = flyte.with_runcontext(labels={"cost-centre": "42"}, annotations={"example.com/why": "a test"})
    run = context.run(surroundings.beside_a_sidecar)
    (pod,) = cluster.await_pods(lambda pods: len(pods) == 1, run=run.name)
    assert run.outputs()[0] == {"FROM_TEMPLATE": "yes", "COLOUR": "green"}
    assert {container.name for container in pod.spec.containers} == {"primary", "proxy"}
    labels, annotations = pod.metadata.labels, pod.metadata.annotations
    assert (labels["team"], labels["cost-centre"]) == ("blue", "42")
    assert (labels["flyteplane.dev/run"], labels["flyteplane.dev/action"]) == (run.name, "a0")
    assert (annotations["example.com/note"], annotations["example.com/why"]) == ("with a sidecar", "a test")
    assert not pod.spec.automount_service_account_token
    cluster.await_no_pods(run=run.name)


def test_a_template_in_the_cluster_is_used_by_its_name(cluster: KubernetesUnderTest) -> None:
    cluster.make_namespace()
    variable = {"name": "FROM_TEMPLATE", "value": "of the operator"}
    container = {"name": "primary", "image": cluster.image, "env": [variable]}
    body = {"metadata": {"name": "kept-by-the-operator"}, "template": {"spec": {"containers": [container]}}}
    cluster.core.create_namespaced_pod_template(cluster.namespace, body)
    assert flyte.run(surroundings.by_name).outputs()[0] == "of the operator"


def test_a_service_account_is_refused_unless_the_class_allows_it() -> None:
    with pytest.raises(flyte.errors.BaseRuntimeError, match="robot") as refused:
        flyte.run(surroundings.as_robot)
    assert "service_account" in str(refused.value)


def test_secrets_reach_the_task_and_nothing_that_kubernetes_shows(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest
) -> None:
    in_variable, in_file = f"s3cret-{secrets.token_hex(12)}", f"k3y-{secrets.token_hex(20)}"
    for name, value in (("POD_SECRET", in_variable), ("POD_SECRET_FILE", in_file)):
        made = platform.flyte("create", "secret", name, stdin=value)
        assert made.returncode == 0, made.stderr
    run = flyte.run(surroundings.reads_secrets)
    cluster.await_pods(lambda pods: len(pods) == 1, run=run.name)
    shown = cluster.text_of("pod", "event", "config_map", "secret")
    assert run.outputs()[0] == [len(in_variable), len(in_file)]
    shown += cluster.text_of("pod", "event", "config_map", "secret")
    log = platform.flyte("get", "logs", run.name).stdout
    assert log.startswith("they are ")
    for value in (in_variable, in_file):
        encoded = base64.b64encode(value.encode()).decode()
        for form in (value, encoded, base64.b64encode(encoded.encode()).decode()):
            assert form not in shown
            assert form not in log


def test_files_folders_and_large_values_pass_through_pods(tmp_path: Path) -> None:
    source = tmp_path / "said.txt"
    source.write_bytes(b"hello " * 500_000)
    letters = 3_000_000
    shouted, total, length = flyte.run(surroundings.data, File.from_local_sync(str(source)), letters).outputs()
    assert Path(shouted.download_sync(str(tmp_path / "back.txt"))).read_bytes() == b"HELLO " * 500_000
    assert (total, length) == (6, 2 * letters)
