"""Pod templates, by name and by value, without the Kubernetes client."""

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
