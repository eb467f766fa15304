"""A template that is no template of a pod is refused, and says where."""

import json
from typing import Any

import pytest
from tests.cluster.pods.sample import built, by_value

from flyteapi.task.v1.task_spec_pb2 import PodTemplate
from flyteplane.foundation.errors import InvalidArgument


def _primary(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "primary", **fields}]}


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"container": []}, "spec.container"),
    ({"containers": {}}, "spec.containers"),
    ({"containers": ["primary"]}, "spec.containers[0]"),
    ({"containers": [{}]}, "spec.containers[0].name"),
    ({"containers": [{"name": "Not_DNS"}]}, "spec.containers[0].name"),
    ({"containers": [{"name": "primary"}, {"name": "primary", "image": "x"}]}, "spec.containers"),
    ({**_primary(), "initContainers": [{"name": "primary", "image": "x"}]}, "spec.containers"),
    ({"containers": [{"name": "primary"}, {"name": "side"}]}, "spec.containers[1].image"),
    (_primary(securityContext={"root": True}), "spec.containers[0].securityContext.root"),
    (_primary(securityContext={"privileged": "yes"}), "spec.containers[0].securityContext.privileged"),
    (_primary(env=[{"name": "1 2"}]), "spec.containers[0].env[0].name"),
    (_primary(env=[{"name": "A", "value": 5}]), "spec.containers[0].env[0].value"),
    (_primary(env=[{"name": "A", "value": "x", "valueFrom": {}}]), "spec.containers[0].env"),
    (_primary(command="sleep 1"), "spec.containers[0].command"),
    (_primary(imagePullPolicy="Sometimes"), "spec.containers[0].imagePullPolicy"),
    (_primary(ports=[{"containerPort": 70000}]), "spec.containers[0].ports[0].containerPort"),
    (_primary(volumeMounts=[{"name": "gone", "mountPath": "/x"}]), "spec.containers[0].volumeMounts[0].name"),
    (_primary(volumeMounts=[{"name": "v", "mountPath": "x"}]), "spec.containers[0].volumeMounts[0].mountPath"),
    (
        {
            **_primary(volumeMounts=[{"name": "v", "mountPath": "/x"}, {"name": "v", "mountPath": "/x/"}]),
            "volumes": [{"name": "v"}],
        },
        "spec.containers[0].volumeMounts",
    ),
    (_primary(resources={"requests": {"cpu": "much"}}), "spec.containers[0].resources.requests[cpu]"),
    (_primary(resources={"limits": {"memory": "-1Gi"}}), "spec.containers[0].resources.limits[memory]"),
    (_primary(resources={"limits": {"memory": True}}), "spec.containers[0].resources.limits[memory]"),
    (
        _primary(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
        "spec.containers[0].resources.requests[cpu]",
    ),
    (
        _primary(resources={"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}),
        "spec.containers[0].resources.limits[nvidia.com/gpu]",
    ),
    ({"volumes": [{"name": "v"}, {"name": "v"}]}, "spec.volumes"),
    ({"volumes": [{"name": "v", "emptyDir": {}, "configMap": {}}]}, "spec.volumes[0]"),
    ({"volumes": [{"name": "v", "magic": {}}]}, "spec.volumes[0].magic"),
    ({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "big"}}]}, "spec.volumes[0].emptyDir.sizeLimit"),
    ({"nodeSelector": {"zone": "not a label"}}, "spec.nodeSelector[zone]"),
    ({"tolerations": [{"key": "a", "effect": "Maybe"}]}, "spec.tolerations[0].effect"),
    ({"terminationGracePeriodSeconds": -1}, "spec.terminationGracePeriodSeconds"),
    ({"serviceAccountName": "Not A Name"}, "spec.serviceAccountName"),
    ({"hostNetwork": "true"}, "spec.hostNetwork"),
]


@pytest.mark.parametrize(("spec", "field"), MALFORMED, ids=[field for _, field in MALFORMED])
def test_a_malformed_template_is_refused_at_its_field(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        built(by_value(spec))
    assert refused.value.field == f"pod_template.{field}"
    assert refused.value.mend


@pytest.mark.parametrize(
    "document",
    [
        *("", "[]", '"pod"', "5", "{", '{"a": NaN}', '{"spec": []}', '{"metadata": {"labels": []}}'),
        *('{"kind": "Deployment", "spec": {}}', '{"metadata": {"name": "x"}}', '{"metadata": {"finalizers": ["x"]}}'),
        '{"spec":' * 5_000,
        json.dumps({"spec": {"affinity": {"nodeAffinity": json.loads('{"a":' * 100 + "{}" + "}" * 100)}}}),
        json.dumps({"spec": {"hostname": "x" * 300_000}}),
    ],
    ids=lambda document: document[:40],
)
def test_a_document_that_is_no_template_is_refused(document: str) -> None:
    template = PodTemplate(pod_template_json=document, primary_container="primary")
    if not document:
        assert built(template)
        return
    with pytest.raises(InvalidArgument) as refused:
        built(template)
    assert refused.value.field.startswith("pod_template")
    assert refused.value.mend


def test_a_template_by_name_and_by_value_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        built(PodTemplate(name="team", pod_template_json="{}"))


def test_a_template_without_its_primary_container_is_refused() -> None:
    spec = {"containers": [{"name": "one", "image": "x"}, {"name": "two", "image": "x"}]}
    with pytest.raises(InvalidArgument) as refused:
        built(by_value(spec))
    assert refused.value.field == "pod_template.primary_container_name"
    with pytest.raises(InvalidArgument):
        built(by_value(spec, primary="Not A Name"))


def test_nulls_are_fields_that_are_not_there() -> None:
    assert built(by_value({"affinity": None, "containers": [{"name": "primary", "args": None}]}))["spec"]
