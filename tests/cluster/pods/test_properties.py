"""Whatever a template says: a pod of ours is well formed and safe, or the refusal names field and mend."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cluster.pods.sample import by_name, by_value, request, stored, surroundings, worker
from tests.cluster.pods.strategies import HARMLESS, JSON_VALUES, SPECS
from tests.cluster.pods.structure import assert_safe, assert_well_formed, containers
from tests.cluster.pods.test_security import ALLOWED_BY_A_CLASS, NEVER_ALLOWED

from flyteapi.task.v1.task_spec_pb2 import PodTemplate, ResourceRequest
from flyteplane.cluster.pods import build_pod
from flyteplane.cluster.pods.container_security import hardened
from flyteplane.cluster.ports import PodConstraints, PodRequest
from flyteplane.foundation.errors import InvalidArgument

RESOURCES = st.builds(
    ResourceRequest,
    cpu=st.sampled_from(("", "1", "250m")),
    memory=st.sampled_from(("", "1Gi")),
    shared_memory=st.sampled_from(("", "auto", "64Mi")),
    disk=st.sampled_from(("", "1Gi")),
)
CLASS = PodConstraints(
    node_selector={"pool": "batch"}, tolerations=({"key": "batch"},), priority_class="batch", service_accounts=()
)


def _mixed(spec: dict[str, Any], poison: dict[str, Any]) -> dict[str, Any]:
    """Both templates in one; a primary container of both is one."""
    mixed = {**spec, **{key: value for key, value in poison.items() if key != "containers"}}
    own = {container["name"]: container for container in spec["containers"]}
    for container in poison.get("containers", ()):
        own[container["name"]] = {**own.get(container["name"], {}), **container}
    return {**mixed, "containers": list(own.values())}


def _pod_or_refusal(pod: PodRequest, named: dict[str, Any] | None = None) -> dict[str, Any] | None:
    try:
        return build_pod(worker(pod), surroundings=surroundings(), named_template=named)
    except InvalidArgument as error:
        refused = error
    assert refused.field, refused
    assert refused.mend, refused
    return None


@settings(max_examples=200)
@given(SPECS, RESOURCES, st.booleans())
def test_no_template_gets_a_forbidden_thing_into_a_pod(
    spec: dict[str, Any], resources: ResourceRequest, kept_in_cluster: bool
) -> None:
    template = by_name() if kept_in_cluster else by_value(spec)
    pod = _pod_or_refusal(
        request(template, resources=resources, constraints=CLASS), stored(spec) if kept_in_cluster else None
    )
    if pod is None:
        return
    assert_well_formed(pod)
    assert_safe(pod)
    assert pod["spec"]["nodeSelector"]["pool"] == "batch"
    assert {"key": "batch"} in pod["spec"]["tolerations"]
    assert pod["spec"]["priorityClassName"] == "batch"


@given(HARMLESS, st.sampled_from((*ALLOWED_BY_A_CLASS, *NEVER_ALLOWED)))
def test_one_forbidden_thing_in_a_harmless_template_is_found(spec: dict[str, Any], poison: dict[str, Any]) -> None:
    assert _pod_or_refusal(request(by_value(_mixed(spec, poison), primary="primary"))) is None


@given(HARMLESS, RESOURCES)
def test_a_harmless_template_loses_nothing(spec: dict[str, Any], resources: ResourceRequest) -> None:
    pod = _pod_or_refusal(request(by_value(spec, primary="primary"), resources=resources))
    assert pod is not None
    assert_well_formed(pod)
    assert_safe(pod)
    assert [v for v in pod["spec"]["volumes"] if not v["name"].startswith("flyte-")] == spec.get("volumes", [])
    made = {container["name"]: container for container in containers(pod["spec"])}
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        kept = made[container["name"]]
        ours = (
            {"args", "command", "env", "resources", "securityContext"}
            if container["name"] == "primary"
            else {"securityContext"}
        )
        assert {key: kept[key] for key in container.keys() - ours} == {
            key: value for key, value in container.items() if key not in ours
        }
        assert container.get("securityContext", {}).items() <= kept["securityContext"].items()
        assert {v["name"] for v in container.get("env", ())} <= {v["name"] for v in kept.get("env", ())}
    for name in ("hostname", "nodeSelector"):
        assert pod["spec"].get(name) == spec.get(name)


@given(HARMLESS)
def test_building_is_deterministic_and_hardening_idempotent(spec: dict[str, Any]) -> None:
    before = json.dumps(spec)
    one, other = (_pod_or_refusal(request(by_value(spec, primary="primary"))) for _ in range(2))
    assert one == other
    assert json.dumps(spec) == before
    assert one is not None
    for container in containers(one["spec"]):
        assert hardened(container, PodConstraints()) == container


@given(JSON_VALUES)
def test_any_document_is_a_pod_or_a_refusal(document: Any) -> None:
    pod = _pod_or_refusal(request(PodTemplate(pod_template_json=json.dumps(document))))
    if pod is not None:
        assert_well_formed(pod)
        assert_safe(pod)


@given(JSON_VALUES)
def test_any_stored_object_is_a_pod_or_a_refusal(document: Any) -> None:
    pod = _pod_or_refusal(request(by_name()), {"template": document})
    if pod is not None:
        assert_well_formed(pod)
        assert_safe(pod)


@given(st.text(max_size=50))
def test_any_text_is_a_template_or_a_refusal(text: str) -> None:
    pod = _pod_or_refusal(request(PodTemplate(pod_template_json=text)))
    assert pod is None or pod["kind"] == "Pod"
