"""Labels and annotations: the platform's are always there and always valid, users' are kept or refused."""

from typing import Any

import pytest
from tests.cluster.pods.sample import WORKER, by_value, request, surroundings, worker
from tests.cluster.pods.structure import assert_well_formed

from flyteplane.cluster.pods import build_pod, worker_labels, worker_name_of
from flyteplane.foundation.errors import InvalidArgument


def _built(**changes: Any) -> dict[str, Any]:
    return build_pod(worker(request(**changes)), surroundings=surroundings())


def test_a_pod_says_whose_worker_it_is() -> None:
    pod = _built()
    labels = pod["metadata"]["labels"]
    assert labels["flyteplane.dev/project"] == "shop"
    assert labels["flyteplane.dev/domain"] == "development"
    assert labels["flyteplane.dev/run"] == "run-1"
    assert labels["flyteplane.dev/action"] == "a0"
    assert labels["flyteplane.dev/attempt"] == "1"
    assert labels["flyteplane.dev/installation"] == "main"
    assert labels["app.kubernetes.io/instance"] == "main"
    assert labels["app.kubernetes.io/managed-by"] == "flyteplane"
    assert worker_name_of(pod) == WORKER


def test_a_replica_is_told_from_a_fresh_worker() -> None:
    fresh, replica = worker_labels(worker(), "main"), worker_labels(worker(replica=True), "main")
    assert fresh["flyteplane.dev/component"] == "worker"
    assert replica["flyteplane.dev/component"] == "replica"


def test_a_value_that_no_label_can_hold_is_shortened_and_kept_whole_as_annotation() -> None:
    action = "über/" + "x" * 80
    pod = build_pod(worker(labels={"action": action}), surroundings=surroundings())
    assert_well_formed(pod)
    assert pod["metadata"]["annotations"]["flyteplane.dev/action"] == action
    assert pod["metadata"]["labels"]["flyteplane.dev/action"] != action


def test_labels_and_annotations_of_template_and_request_are_kept_and_the_request_wins() -> None:
    template = by_value(labels={"team": "a", "tier": "x"}, annotations={"note": "template", "other": "kept"})
    pod = _built(template=template, labels={"team": "b"}, annotations={"note": "request"})
    assert pod["metadata"]["labels"]["team"] == "b"
    assert pod["metadata"]["labels"]["tier"] == "x"
    assert pod["metadata"]["annotations"]["note"] == "request"
    assert pod["metadata"]["annotations"]["other"] == "kept"


def test_users_may_name_their_application() -> None:
    labels = _built(labels={"app.kubernetes.io/name": "fraud"})["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "fraud"
    assert labels["app.kubernetes.io/managed-by"] == "flyteplane"


def test_no_autoscaler_moves_a_worker_unless_it_is_interruptible_or_says_so() -> None:
    key = "cluster-autoscaler.kubernetes.io/safe-to-evict"
    assert _built()["metadata"]["annotations"][key] == "false"
    assert key not in _built(interruptible=True)["metadata"]["annotations"]
    assert _built(annotations={key: "true"})["metadata"]["annotations"][key] == "true"


@pytest.mark.parametrize(
    "labels",
    [
        {"flyteplane.dev/run": "other"},
        {"x.flyteplane.dev/run": "other"},
        {"-bad": "x"},
        {"a/b/c": "x"},
        {"": "x"},
        {"ok": "no spaces"},
        {"ok": "x" * 64},
        {"ok": 1},
    ],
)
def test_labels_that_kubernetes_or_the_platform_refuses_are_refused(labels: dict[str, Any]) -> None:
    for changes in ({"template": by_value(labels=labels)}, {"labels": labels}):
        with pytest.raises(InvalidArgument) as refused:
            _built(**changes)
        assert "labels" in refused.value.field
        assert refused.value.mend


@pytest.mark.parametrize(
    "annotations",
    [
        {"flyteplane.dev/worker": "other"},
        {"bad key": "x"},
        {"ok": 5},
        {"big": "x" * 300_000},
        {"container.apparmor.security.beta.kubernetes.io/primary": "unconfined"},
        {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"},
    ],
)
def test_annotations_that_kubernetes_or_the_platform_refuses_are_refused(annotations: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _built(annotations=annotations)
    assert refused.value.field == "annotations"
    assert refused.value.mend
