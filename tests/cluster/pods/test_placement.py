"""Where pods may go: the operator's constraints survive every template."""

from typing import Any

import pytest
from tests.cluster.pods.sample import by_value, request, surroundings, worker

from flyteplane.cluster.pods import build_pod
from flyteplane.cluster.ports import PodConstraints
from flyteplane.foundation.errors import InvalidArgument

CLASS = PodConstraints(
    node_selector={"pool": "batch"},
    tolerations=({"key": "batch", "operator": "Exists"},),
    priority_class="batch-high",
)


def _spec(template: dict[str, Any] | None = None, *, interruptible: bool = False, **changes: Any) -> dict[str, Any]:
    constraints = changes.pop("constraints", CLASS)
    pod = request(by_value(template), constraints=constraints, interruptible=interruptible)
    found: dict[str, Any] = build_pod(worker(pod), surroundings=surroundings(**changes))["spec"]
    return found


def test_the_classs_nodes_tolerations_and_priority_are_added() -> None:
    spec = _spec({"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "mine", "operator": "Exists"}]})
    assert spec["nodeSelector"] == {"disk": "ssd", "pool": "batch"}
    assert spec["tolerations"] == [{"key": "mine", "operator": "Exists"}, {"key": "batch", "operator": "Exists"}]
    assert spec["priorityClassName"] == "batch-high"


def test_affinity_of_the_template_stays_beside_the_classs_node_selector() -> None:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    spec = _spec({"affinity": affinity})
    assert spec["affinity"] == affinity
    assert spec["nodeSelector"] == {"pool": "batch"}


def test_a_template_that_says_what_the_class_says_is_no_contradiction() -> None:
    spec = _spec({"nodeSelector": {"pool": "batch"}, "priorityClassName": "batch-high"})
    assert spec["nodeSelector"] == {"pool": "batch"}


@pytest.mark.parametrize(
    ("template", "field"),
    [
        ({"nodeSelector": {"pool": "other"}}, "nodeSelector[pool]"),
        ({"priorityClassName": "system-node-critical"}, "priorityClassName"),
        ({"tolerations": [{"operator": "Exists"}]}, "tolerations[0].key"),
        ({"nodeName": "node-7"}, "nodeName"),
        ({"priority": 5}, "priority"),
    ],
)
def test_a_template_cannot_escape_the_class(template: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _spec(template)
    assert refused.value.field == f"pod_template.spec.{field}"
    assert refused.value.mend


SPOT: dict[str, Any] = {
    "spot_node_selector": {"lifecycle": "spot"},
    "spot_tolerations": ({"key": "spot", "operator": "Exists"},),
}


def test_only_interruptible_workers_go_to_nodes_that_can_be_taken_away() -> None:
    assert _spec(interruptible=True, **SPOT)["nodeSelector"] == {"pool": "batch", "lifecycle": "spot"}
    assert {"key": "spot", "operator": "Exists"} in _spec(interruptible=True, **SPOT)["tolerations"]
    assert _spec(**SPOT)["nodeSelector"] == {"pool": "batch"}


def test_a_class_of_other_nodes_wins_over_the_spot_market() -> None:
    constraints = PodConstraints(node_selector={"lifecycle": "on-demand"})
    assert _spec(interruptible=True, constraints=constraints, **SPOT)["nodeSelector"] == {"lifecycle": "on-demand"}


def test_a_template_that_contradicts_interruptible_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="lifecycle"):
        _spec({"nodeSelector": {"lifecycle": "on-demand"}}, interruptible=True, **SPOT)
