"""Pod templates, by name and by value, without the Kubernetes client."""

from datetime import timedelta
from typing import Any

import pytest

from flyte.spec.pod_template import PodTemplate, normalise_pod_template
from flyte.spec.problems import InvalidSetting, InvalidSettingType


def model(class_name: str, **fields: object) -> object:
    """Make something with the shape of a model of the Kubernetes client."""
    names = {
        name: "".join(part.title() if index else part for index, part in enumerate(name.split("_"))) for name in fields
    }
    return type(class_name, (), {"__module__": "kubernetes.client.models", "attribute_map": names, **fields})()


def test_a_kubernetes_pod_template_is_accepted_as_it_is() -> None:
    container = model("V1Container", name="main", image=None, image_pull_policy="Always")
    spec = model("V1PodSpec", containers=[container], node_selector={"disk": "ssd"})
    metadata = model("V1ObjectMeta", labels={"team": "a"}, annotations=None)
    template = normalise_pod_template(
        model("V1PodTemplate", template=model("V1PodTemplateSpec", metadata=metadata, spec=spec))
    )
    assert isinstance(template, PodTemplate)
    assert template.primary_container_name == "main"
    assert template.to_manifest() == {
        "metadata": {"labels": {"team": "a"}},
        "spec": {"containers": [{"name": "main", "imagePullPolicy": "Always"}], "nodeSelector": {"disk": "ssd"}},
    }


def test_a_name_and_a_plain_mapping_are_accepted() -> None:
    assert normalise_pod_template("gpu-pods") == "gpu-pods"
    assert normalise_pod_template(None) is None
    template = PodTemplate({"containers": [{"name": "primary"}]})
    assert normalise_pod_template(template) is template


def test_a_template_without_its_primary_container_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="primary_container_name"):
        normalise_pod_template(PodTemplate({"containers": [{"name": "sidecar"}]}))


@pytest.mark.parametrize("request_", ["Not A Name", "-x", "a" * 300])
def test_a_malformed_name_is_refused(request_: Any) -> None:
    with pytest.raises(InvalidSetting):
        normalise_pod_template(request_)


def test_the_tasks_container_has_a_name() -> None:
    with pytest.raises(InvalidSetting, match="is empty"):
        PodTemplate(primary_container_name="")
    with pytest.raises(InvalidSettingType, match="to be of type str"):
        PodTemplate(primary_container_name=None)  # type: ignore[arg-type]  # what is refused


def test_anything_else_is_refused() -> None:
    with pytest.raises(InvalidSettingType, match="Expected pod_template to be of type str or PodTemplate"):
        normalise_pod_template(5)
    with pytest.raises(InvalidSettingType):
        PodTemplate({"containers": object()}).to_manifest()


def test_labels_must_be_ones_that_kubernetes_takes() -> None:
    with pytest.raises(InvalidSetting, match="labels"):
        normalise_pod_template(PodTemplate(labels={"a b": "c"}))


def test_the_grace_period_is_added_to_a_copy() -> None:
    template = PodTemplate({"containers": []})
    assert template.with_termination_grace_period(90).spec_manifest()["terminationGracePeriodSeconds"] == 90
    assert "terminationGracePeriodSeconds" not in template.spec_manifest()


def test_a_model_of_the_kubernetes_client_stays_one_when_something_is_added() -> None:
    client = pytest.importorskip("kubernetes.client")
    given = client.V1PodSpec(containers=[client.V1Container(name="primary", image="busybox")])
    spec = PodTemplate(given).with_termination_grace_period(timedelta(minutes=1)).allow_nested_sandboxing().pod_spec
    assert isinstance(spec, client.V1PodSpec)
    assert spec.termination_grace_period_seconds == 60
    assert spec.containers[0].image == "busybox"
    assert spec.containers[0].security_context.seccomp_profile.type == "Unconfined"
    assert given.termination_grace_period_seconds is None


def test_fuse_asks_for_its_device_and_keeps_what_the_template_says() -> None:
    template = PodTemplate(
        {
            "containers": [
                {"name": "side"},
                {"name": "main", "securityContext": {"runAsUser": 5, "capabilities": {"drop": ["ALL"]}}},
            ]
        },
        primary_container_name="main",
    )
    manifest = template.allow_fuse().allow_fuse().to_k8s_pod()["spec"]
    side, main = manifest["containers"]
    assert side == {"name": "side"}
    assert main["securityContext"] == {"runAsUser": 5, "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}
    assert main["volumeMounts"] == [{"name": "fuse-device", "mountPath": "/dev/fuse"}]
    assert [volume["hostPath"]["path"] for volume in manifest["volumes"]] == ["/dev/fuse"]
    assert PodTemplate().allow_fuse(privileged=True).spec_manifest() == {
        "containers": [{"name": "primary", "securityContext": {"privileged": True}}]
    }
